"""Kills stages at random moments and proves that the pipeline ends with the same bytes.

    python tests/helpers/chaos.py --kills 60 --seed 1

One small repository is reproduced undisturbed; in another like it, stages are killed (SIGKILL, the
whole process group) at random moments, about half of the time while a file is being written. After
each stage's kills, `dvc repro` resumes, and `dvc.lock` and all figures must be those of the
undisturbed run. The last kills of `features` and `train` are no accident: the work has ended, but
its figures are not written yet, or DVC computes checksums. The work must not begin again.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from small_repository import ENVIRONMENT, dvc, make_repository

STAGES = ("download", "features", "train", "evaluate")
STAGES_BEFORE = {
    "download": ("check",),
    "features": ("download",),
    "train": ("features", "tokens"),
    "evaluate": ("train",),
}
# Where a stage's unfinished files appear.
WRITES = {
    "download": "data/raw/.*.partial.*",
    "features": ".scratch/features/*/.*.partial.*",
    "train": ".scratch/train/*/.*.partial.*",
    "evaluate": "metrics/**/.*.partial.*",
}
# What appears when a stage's work has ended: first an output, then the note that all are written.
ENDED = {
    "features": ("data/features/*.tfrecord", ".scratch/features/*/ended.json"),
    "train": ("data/model/decoder.keras", ".scratch/train/*/ended.json"),
}
# The state that must survive.
STATE = {"features": "*.tfrecord", "train": "*.npz"}
LONGER = {
    "train.epochs": 6,
    "train.patience": None,
    "train.self_critical.epochs": 3,
    "datasets.scenes.train_images": 96,
}


@dataclass
class Kill:
    """One kill: of which stage, while a file was half written or not, after how many seconds."""

    stage: str
    writing: bool
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=60, help="number of kills")
    parser.add_argument("--seed", type=int, default=1, help="random seed")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        kills = torment(Path(folder), options.kills, random.Random(options.seed))
    print(table(kills))
    return 0


def torment(folder: Path, number: int, chance: random.Random) -> list[Kill]:
    """Kill `number` times in all; raise AssertionError where anything is not as it should be."""
    undisturbed = make_repository(folder / "undisturbed", **LONGER)
    repository = make_repository(folder / "repository", **LONGER)
    kills: list[Kill] = []
    for index, stage in enumerate(STAGES):
        started = time.monotonic()
        dvc(undisturbed, "repro", stage)
        seconds = time.monotonic() - started
        share = number // len(STAGES) + (index < number % len(STAGES))
        moments = ENDED.get(stage, ())
        kills += kill_often(repository, stage, share - len(moments), seconds, chance)
        for moment in moments:
            kills.append(kill_at_the_end(repository, stage, moment))
        before = state(repository, stage)
        output = dvc(repository, "repro", stage)
        assert not moments or before, f"{stage}: its state was lost"
        assert state(repository, stage) == before, f"{stage}: work that had ended was done again"
        if stage == "train":
            resumed = re.search(r"Resuming after epoch (\d+)/", output)
            print(f"train: resumed after epoch {resumed[1] if resumed else 0}", flush=True)
        assert results(repository) == results(undisturbed), f"{stage}: other results"
        print(f"{stage}: {share} kills, same bytes", flush=True)
    # Each stage removed the state of those before it; evaluate itself has none.
    assert not list((repository / ".scratch").glob("*/*")), "scratch left behind"
    return kills


def state(repository: Path, stage: str) -> dict[str, int]:
    """The files of a stage's state, with the times at which they were written."""
    if stage not in STATE:
        return {}
    found = (repository / ".scratch" / stage).glob(f"*/{STATE[stage]}")
    return {path.name: path.stat().st_mtime_ns for path in found}


def kill_at_the_end(repository: Path, stage: str, moment: str) -> Kill:
    """Start a stage, and kill it as soon as a file exists that shows that its work has ended."""
    lock = repository / "dvc.lock"
    before, began = lock.read_bytes(), time.time_ns()
    process, started = start(repository, stage), time.monotonic()
    while process.poll() is None and not appeared(repository, moment, began):
        time.sleep(0.0005)
    assert process.poll() is None, f"{stage} ended before it could be killed at {moment}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert lock.read_bytes() == before, f"{stage}: killed too late"
    return Kill(stage, False, time.monotonic() - started)


def appeared(repository: Path, pattern: str, began: int) -> bool:
    """Whether there is a file that got its name after a time, in nanoseconds."""
    try:
        return any(path.stat().st_ctime_ns > began for path in repository.glob(pattern))
    except FileNotFoundError:
        return False


def kill_often(
    repository: Path, stage: str, number: int, seconds: float, chance: random.Random
) -> list[Kill]:
    """Kill a stage that has never finished, so that no cache can help; each goes on from the last.

    Args:
        repository: in which the stages before are finished.
        stage: to be killed.
        number: of kills.
        seconds: that the stage takes.
        chance: of the moments.
    """
    dvc(repository, "repro", *STAGES_BEFORE[stage])
    before = shutil.copytree(repository, repository.with_name("before"), symlinks=True)
    kills: list[Kill] = []
    while len(kills) < number:
        done = kill(repository, stage, seconds, chance)
        if done is not None:
            kills.append(done)
        else:  # It came to its end first: back to where it had not begun.
            shutil.rmtree(repository)
            shutil.copytree(before, repository, symlinks=True)
    shutil.rmtree(before)
    return kills


def results(repository: Path) -> dict[str, bytes]:
    """What must be the same: the lock, which holds all outputs' sums, and the figures."""
    paths = [repository / "dvc.lock", *sorted((repository / "metrics").rglob("*.*"))]
    assert not list(repository.glob("data/**/.*.partial.*")), "a half-written file was left"
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in paths}


def kill(repository: Path, stage: str, seconds: float, chance: random.Random) -> Kill | None:
    """Start a stage and kill it, unless it ends first: at a random moment or in mid-writing."""
    in_writing = chance.random() < 0.5
    moment = chance.uniform(0.1, 1.0) * seconds
    process, started = start(repository, stage), time.monotonic()
    writing = False
    while process.poll() is None and not writing:
        passed = time.monotonic() - started
        if passed > moment:
            if not in_writing or passed > 2 * seconds:
                break
            writing = any(repository.glob(WRITES[stage]))
        time.sleep(0.0005)
    passed = time.monotonic() - started
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None if ended else Kill(stage, writing, passed)


def start(repository: Path, stage: str) -> subprocess.Popen[bytes]:
    """Start a stage in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--single-item", stage],
        cwd=repository,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def table(kills: Sequence[Kill]) -> str:
    """A Markdown table of what was killed, how often and when."""
    lines = ["| stage | kills | of them while writing a file | seconds after its start |"]
    lines.append("|---|---|---|---|")
    for stage in STAGES:
        these = [kill for kill in kills if kill.stage == stage]
        if these:
            moments = [kill.seconds for kill in these]
            writing = sum(kill.writing for kill in these)
            span = f"{min(moments):.1f} to {max(moments):.1f}"
            lines.append(f"| {stage} | {len(these)} | {writing} | {span} |")
    return "\n".join(lines)


if __name__ == "__main__":
    assert shutil.which("git"), "needs Git"
    sys.exit(main())
