"""`python -m benchmarks`: the tutorial's way and ours in turns, on what `make repro` wrote."""

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
    """Measure, print the table, write the JSON."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="captioning-bench-") as work:
        data = BenchData(arguments.root, Path(work), _TRAIN_IMAGES, _VALIDATION_IMAGES)
        data.check()
        bench = Bench(data, runs=arguments.runs)
        print("the machine's ceilings …", file=sys.stderr)
        bench.measure_machine()
        alternate({"share": (ShareWriter, {"data": data})}, 1)
        machine = {"dataset": data.params.dataset, "cores": os.cpu_count(), **bench.ceilings}
        rows: list[Row] = []
        for name in arguments.parts:
            print(f"{name} …", file=sys.stderr)
            rows += PARTS[name](bench)
            # After every part: what was measured outlives a run that is broken off.
            write_json(arguments.json, as_json(rows, machine, bench.details))
    _print(rows, machine)
    print(f"\nall figures: {arguments.json}")


def _print(rows: list[Row], machine: dict[str, Any]) -> None:
    """The machine in two lines, then the table."""
    giga = {
        name: f"{machine[name] / 1e9:.1f}" for name in ("matmul_float32", "matmul_bfloat16", "copy")
    }
    print(f"{machine['dataset']}, {machine['cores']} cores; medians of alternated runs")
    print(
        f"ceilings: {giga['matmul_float32']} GFLOP/s a core in float32, "
        f"{giga['matmul_bfloat16']} in bfloat16, copying {giga['copy']} GB/s\n"
    )
    print(table(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        default=list(PARTS),
        metavar="part",
        help=f"which of {', '.join(PARTS)}; all without",
    )
    parser.add_argument("--runs", type=int, default=3, help="of every side")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml and data/")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results.json"))
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    arguments.root = arguments.root.resolve()
    return arguments


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
