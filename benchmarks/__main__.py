"""Compare this project's speed with the tutorial's code, on the data that `make repro` wrote.

`python -m benchmarks` runs all parts, `python -m benchmarks training decoding` some of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.alternate import alternate
from benchmarks.data import BenchData, ShareWriter
from benchmarks.parts import PARTS, Bench
from benchmarks.report import Row, as_json, table
from captioning.core.errors import InputError
from captioning.core.files import write_json

_TRAIN_IMAGES, _VALIDATION_IMAGES = 320, 32


def main() -> None:
    """Measure, print the table, write the JSON file."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="captioning-bench-") as work:
        data = BenchData(arguments.root, Path(work), _TRAIN_IMAGES, _VALIDATION_IMAGES)
        data.check()
        bench = Bench(data, runs=arguments.runs)
        print("limits of this machine …", file=sys.stderr)
        bench.measure_machine()
        alternate({"share": (ShareWriter, {"data": data})}, 1)
        machine = {"dataset": data.params.dataset, "cores": os.cpu_count(), **bench.ceilings}
        rows: list[Row] = []
        for name in arguments.parts:
            print(f"{name} …", file=sys.stderr)
            rows += PARTS[name](bench)
            # After every part, so that an interrupted run keeps what it has measured.
            write_json(arguments.json, as_json(rows, machine, bench.details))
    _print(rows, machine)
    print(f"\nall figures: {arguments.json}")


def _print(rows: list[Row], machine: dict[str, Any]) -> None:
    """Print two lines about the machine, then the table."""
    giga = {
        name: f"{machine[name] / 1e9:.1f}" for name in ("matmul_float32", "matmul_bfloat16", "copy")
    }
    print(f"{machine['dataset']}, {machine['cores']} cores; medians of the runs")
    print(
        f"limits: {giga['matmul_float32']} GFLOP/s per core in float32, "
        f"{giga['matmul_bfloat16']} in bfloat16, copying {giga['copy']} GB/s\n"
    )
    print(table(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "parts",
        nargs="*",
        default=list(PARTS),
        metavar="part",
        help=f"parts to run: {', '.join(PARTS)} (default: all)",
    )
    parser.add_argument(
        "--runs", type=int, default=3, help="number of runs of each side (default: %(default)s)"
    )
    parser.add_argument(
        "--root", type=Path, default=Path(), help="folder that holds params.yaml and data/"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("benchmarks/results.json"),
        help="file for all figures (default: %(default)s)",
    )
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"unknown part: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    arguments.root = arguments.root.resolve()
    return arguments


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
