"""A small Git and DVC repository with experiments, for the tests of comparison and gate.

Its one stage, `evaluate`, spoils good captions at a rate and with a seed that are params. Runs:

    HEAD, branch `main`, tag `v1`   error 0.3, seed 1
    s2, s3                          other seeds: noise
    small                           error 0.31: few captions differ
    fewer, others                   another set of images, other references
    gone                            predictions neither in the cache nor at the remote
    remote                          predictions at the remote alone
    worse                           error 0.8; the workspace holds the same
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dvc.cli
from ruamel.yaml import YAML

SCRIPT = """
import json
import random
from pathlib import Path

from ruamel.yaml import YAML

from captioning.core.files import write_json
from captioning.evaluation.predictions import Prediction, write_predictions
from captioning.evaluation.scoring import score

params = YAML(typ="safe", pure=True).load(Path("params.yaml").read_text())
words = [f"w{number}" for number in range(9)]
pictures, errors = random.Random(0), random.Random(params["train"]["seed"])
rows = []
for number in range(params["data"]["images"]):
    references = [" ".join(pictures.choices(words, k=8)) for _ in range(3)]
    caption = [
        "wrong" if errors.random() < params["model"]["error"] else word
        for word in references[0].split()
    ]
    rows.append(
        Prediction(
            image_id=f"image-{number:02}",
            caption=" ".join(caption),
            references=tuple(references[: params["data"]["references"]]),
            log_probability=-1.0,
        )
    )
write_predictions("data/predictions.jsonl", rows)
captions, references = [row.caption for row in rows], [row.references for row in rows]
figures = score(captions, references, 100, 1).figures
figures["shares"] = {"right": 1 - params["model"]["error"]}
write_json("metrics/evaluate.json", figures)
"""
STAGES = """
stages:
  evaluate:
    cmd: {python} evaluate.py
    deps: [evaluate.py]
    params: [data, model, train]
    outs: [data/predictions.jsonl]
    metrics:
      - metrics/evaluate.json:
          cache: false
"""
PARAMS = """
data: {images: 40, references: 3}
model: {error: 0.3, names: null}
train: {seed: 1}
"""


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def run_dvc(folder: Path, *arguments: str) -> None:
    with inside(folder):
        assert dvc.cli.main([*arguments, "--quiet"]) == 0, arguments


def commit_first_run(root: Path, remote: Path) -> None:
    """Write the project's files into a new DVC repository, reproduce it, and commit."""
    config = "[core]\n    analytics = false\n    remote = far\n['remote \"far\"']\n"
    (root / ".dvc/config").write_text(f"{config}    url = {remote}\n")
    (root / "evaluate.py").write_text(SCRIPT)
    (root / "dvc.yaml").write_text(STAGES.format(python=sys.executable))
    (root / "params.yaml").write_text(PARAMS)
    run_dvc(root, "repro")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "start")


def make_repository(folder: Path) -> Path:
    root = folder / "project"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "config", "user.name", "t")
    git(root, "config", "user.email", "t@example.org")
    run_dvc(root, "init")
    commit_first_run(root, folder / "remote")
    git(root, "tag", "v1")
    experiment(root, "s2", "train.seed=2")
    experiment(root, "s3", "train.seed=3")
    experiment(root, "small", "model.error=0.31")
    experiment(root, "fewer", "data.images=36")
    experiment(root, "others", "data.references=2")
    experiment(root, "gone", "train.seed=4")
    cached(root).unlink()
    experiment(root, "remote", "train.seed=5")
    run_dvc(root, "push")
    cached(root).unlink()
    experiment(root, "worse", "model.error=0.8")
    return root


def experiment(root: Path, name: str, change: str) -> None:
    """Run one from HEAD's params; the workspace then holds it."""
    (root / "params.yaml").write_text(PARAMS)
    run_dvc(root, "exp", "run", "--name", name, "--set-param", change)


def cached(root: Path) -> Path:
    """Where the cache keeps the workspace's predictions."""
    lock = YAML(typ="safe", pure=True).load((root / "dvc.lock").read_text())
    md5 = lock["stages"]["evaluate"]["outs"][0]["md5"]
    return root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
