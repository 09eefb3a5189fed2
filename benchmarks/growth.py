"""How memory and time of every stage grow with the dataset: `python -m benchmarks.growth`.

Runs the stages on scenes, once for every factor, each in a process of its own in a temporary
folder, and notes its peak resident memory, its wall time and its processor time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from captioning.core.files import write_json
from captioning.experiments.tables import Table
from captioning.params.stages import load_params

ROOT = Path(__file__).parent.parent
STAGES = ("download", "features", "vocabulary", "tokens", "train", "evaluate")
# Validation and test images for each train image.
_SHARES = {"train": 1.0, "validation": 1 / 8, "test": 1 / 4}
# Whatever is not changed here is as in params.yaml; the pictures are small so that many are quick.
_SETTINGS = {
    "dataset": "scenes",
    "datasets.scenes.image_size": 64,
    "features.image_size": 64,
    "train.epochs": 1,
    "train.warmup_epochs": 0.5,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    options = _options(arguments)
    runs = []
    for factor in options.factors:
        with tempfile.TemporaryDirectory(prefix="captioning-growth-") as folder:
            runs += measure(Path(folder), options.images, factor, options.params, options.stages)
    report = {"images": images(options.images, 1), "runs": runs, "growth": growth(runs)}
    write_json(options.json, report)
    print(table(report["growth"], options.factors).text())
    print(f"\nall figures: {options.json}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--images", type=int, default=1000, help="train images at 1x (default: %(default)s)"
    )
    parser.add_argument(
        "--factors", type=int, nargs="+", default=[1, 4, 16], help="(default: 1 4 16)"
    )
    parser.add_argument(
        "--params", type=Path, default=ROOT / "params.yaml", help="what the settings start from"
    )
    parser.add_argument(
        "--stages", nargs="+", choices=STAGES, default=STAGES, help="which to run (default: all)"
    )
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "growth.json")
    return parser.parse_args(arguments)


def images(train: int, factor: int) -> dict[str, int]:
    """Images of every split."""
    return {split: max(round(train * share * factor), 1) for split, share in _SHARES.items()}


def measure(
    folder: Path, train: int, factor: int, params: Path, stages: Sequence[str] = STAGES
) -> list[dict[str, Any]]:
    """Run stages in `folder`, in the pipeline's order.

    Args:
        folder: empty.
        train: train images at 1x.
        factor: by which all splits are larger.
        params: the file that the settings start from.
        stages: which; what they read must be among what the others write.

    Returns:
        For every one `stage`, `factor`, `images` (of all splits), `seconds`, `cpu_seconds` and
        `peak_bytes`.
    """
    sizes = images(train, factor)
    chosen = {f"datasets.scenes.{split}_images": size for split, size in sizes.items()}
    write_params(params, folder / "params.yaml", {**_SETTINGS, **chosen})
    rows = []
    for stage in (stage for stage in STAGES if stage in stages):
        print(f"{factor}x {stage}", file=sys.stderr)
        command = [sys.executable, str(ROOT / "stages" / f"{stage}.py")]
        usage = run(command, folder)
        rows.append({"stage": stage, "factor": factor, "images": sum(sizes.values()), **usage})
    return rows


def write_params(source: Path, target: Path, changes: Mapping[str, Any]) -> None:
    """Copy params.yaml with some keys, given by their full names, changed; check the result."""
    yaml = YAML(typ="safe", pure=True)
    values = yaml.load(source)
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = values
        for part in sections:
            section = section[part]
        section[name] = value
    yaml.dump(values, target)
    load_params(target)


def run(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Run a command to its end; what it printed is shown if it fails.

    To be called in a small process: until its own program starts, a child counts as large as its
    parent.

    Returns:
        `seconds` of wall time, `cpu_seconds` of all its threads, `peak_bytes` of resident memory.
    """
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        # Not `wait`: the kernel tells this one child's usage to whoever collects it.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{log.read().decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_bytes": usage.ru_maxrss * unit,
    }


def growth(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the runs of one stage say together, for every stage that was run.

    Returns:
        `stage`; `peak_bytes`, `seconds` and `cpu_seconds`, one for every factor; `peak_ratio`: the
        last peak to the first; `bytes_per_image` and `cpu_seconds_per_image`: what one more image
        costs between two neighbouring factors; equal ones mean that the growth is linear.
    """
    summary = []
    for stage in dict.fromkeys(row["stage"] for row in runs):
        rows = [row for row in runs if row["stage"] == stage]
        steps = list(pairwise(rows))

        def slope(name: str, steps: Any = steps) -> list[float]:
            return [(b[name] - a[name]) / (b["images"] - a["images"]) for a, b in steps]

        summary.append(
            {
                "stage": stage,
                **{
                    name: [row[name] for row in rows]
                    for name in ("peak_bytes", "seconds", "cpu_seconds")
                },
                "peak_ratio": round(rows[-1]["peak_bytes"] / rows[0]["peak_bytes"], 3),
                "bytes_per_image": [round(value) for value in slope("peak_bytes")],
                "cpu_seconds_per_image": [round(value, 6) for value in slope("cpu_seconds")],
            }
        )
    return summary


def table(summary: Sequence[Mapping[str, Any]], factors: Sequence[int]) -> Table:
    """The growth of every stage, for a terminal."""
    names = ", ".join(f"{factor}x" for factor in factors)
    header = (
        "stage",
        f"peak memory, MB ({names})",
        "last to first",
        f"seconds ({names})",
        f"processor seconds ({names})",
        "processor ms an image more",
    )
    rows = [
        (
            str(row["stage"]),
            _joined(row["peak_bytes"], 1e-6, 0),
            f"{row['peak_ratio']:.2f}",
            _joined(row["seconds"], 1, 1),
            _joined(row["cpu_seconds"], 1, 1),
            _joined(row["cpu_seconds_per_image"], 1e3, 2),
        )
        for row in summary
    ]
    return Table("Growth with the dataset", header, rows)


def _joined(values: Sequence[float], scale: float, digits: int) -> str:
    return ", ".join(f"{value * scale:,.{digits}f}" for value in values)


if __name__ == "__main__":
    main()
