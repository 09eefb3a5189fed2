"""Measure how memory and time of every stage grow with the dataset.

`python -m benchmarks.growth` runs the stages on scenes, once for every factor, each in its own
process in a temporary folder. It records peak resident memory, wall time and processor time.
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
from tabulate import tabulate

from captioning.core.files import write_json
from captioning.params.stages import load_params

ROOT = Path(__file__).parent.parent
STAGES = ("download", "features", "vocabulary", "tokens", "train", "evaluate")
# Number of images of each split for every train image.
_SHARES = {"train": 1.0, "validation": 1 / 8, "test": 1 / 4}
# All other settings are those of params.yaml. Images are small, so that many take little time.
_SETTINGS = {
    "dataset": "scenes",
    "datasets.scenes.image_size": 64,
    "features.image_size": 64,
    "train.epochs": 1,
    "train.warmup_epochs": 0.5,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON file."""
    options = _options(arguments)
    runs = []
    for factor in options.factors:
        with tempfile.TemporaryDirectory(prefix="captioning-growth-") as folder:
            runs += measure(Path(folder), options.images, factor, options.params, options.stages)
    report = {"images": images(options.images, 1), "runs": runs, "growth": growth(runs)}
    write_json(options.json, report)
    print("Growth with the dataset")
    print(table(report["growth"], options.factors))
    print(f"\nall figures: {options.json}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--images",
        type=int,
        default=1000,
        help="number of train images at factor 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--factors",
        type=int,
        nargs="+",
        default=[1, 4, 16],
        help="sizes of the dataset (default: 1 4 16)",
    )
    parser.add_argument(
        "--params", type=Path, default=ROOT / "params.yaml", help="file of all other settings"
    )
    parser.add_argument(
        "--stages", nargs="+", choices=STAGES, default=STAGES, help="stages to run (default: all)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / "benchmarks" / "growth.json",
        help="file for all figures (default: benchmarks/growth.json)",
    )
    return parser.parse_args(arguments)


def images(train: int, factor: int) -> dict[str, int]:
    """Number of images of every split."""
    return {split: max(round(train * share * factor), 1) for split, share in _SHARES.items()}


def measure(
    folder: Path, train: int, factor: int, params: Path, stages: Sequence[str] = STAGES
) -> list[dict[str, Any]]:
    """Run stages in `folder`, in the pipeline's order.

    Args:
        folder: empty folder to run in.
        train: number of train images at factor 1.
        factor: factor for the size of all splits.
        params: file of all other settings.
        stages: stages to run; each must find its inputs among the outputs of the others.

    Returns:
        For every stage its name (`stage`), `factor`, number of `images` in all splits, `seconds`,
        `cpu_seconds` and `peak_bytes`.
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
    """Copy params.yaml with changes, given by full keys such as `train.epochs`; check the copy."""
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
    """Run a command to its end; if it fails, exit and show its output.

    The calling process should be small: until a child has started its own program, its memory
    counts as large as its parent's.

    Returns:
        `seconds` of wall time, `cpu_seconds` of all its threads, `peak_bytes` of resident memory.
    """
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        # Unlike `wait`, this reports the resources that this one child has used.
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
    """Summarize the runs of each stage.

    Returns:
        For every stage its name (`stage`); `peak_bytes`, `seconds` and `cpu_seconds`, one value for
        every factor; `peak_ratio`, the last peak divided by the first; `bytes_per_image` and
        `cpu_seconds_per_image`, the cost of each additional image between two successive factors.
        Equal costs mean linear growth.
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


def table(summary: Sequence[Mapping[str, Any]], factors: Sequence[int]) -> str:
    """A table of the growth of every stage, for a terminal."""
    names = ", ".join(f"{factor}x" for factor in factors)
    header = (
        "stage",
        f"peak memory, MB ({names})",
        "last / first",
        f"seconds ({names})",
        f"processor seconds ({names})",
        "processor ms per additional image",
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
    return tabulate(rows, header, disable_numparse=True)


def _joined(values: Sequence[float], scale: float, digits: int) -> str:
    return ", ".join(f"{value * scale:,.{digits}f}" for value in values)


if __name__ == "__main__":
    main()
