"""Compare feature extraction on a Ray cluster with extraction on this machine.

`RAY_ADDRESS=HOST:PORT python -m benchmarks.cluster` extracts the same raw table in both ways, in
turns. The time for a table with one image per split is counted as start-up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tabulate import tabulate

from captioning.core.errors import InputError
from captioning.core.files import fresh_folder
from captioning.core.splits import SPLITS, shard_name, shard_paths
from captioning.data.raw_table import read_raw
from captioning.extractors import Extractor, make_extractor
from captioning.features.remote import extract_remotely
from captioning.features.write_features import write_features

_SIDES = ("without", "on the cluster")


def main() -> None:
    """Measure and print the table."""
    arguments = _arguments()
    address = os.environ.pop("RAY_ADDRESS", "")
    if not address:
        raise InputError(
            "RAY_ADDRESS is not set: start a Ray cluster and set the variable to its address, see "
            "docs/cluster.md"
        )
    extractor = make_extractor("efficientnet_lite0", arguments.image_size)
    images = sum(1 for split in SPLITS for _ in read_raw(arguments.raw, split, columns=["width"]))
    seconds: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="captioning-bench-") as work:
        few = _first_images(arguments.raw, Path(work) / "few")
        for _ in range(arguments.runs):
            for side in _SIDES:
                os.environ["RAY_ADDRESS"] = address if side != "without" else ""
                for name, raw in (("few", few), ("all", arguments.raw)):
                    spent = _extract(raw, Path(work), extractor)
                    seconds.setdefault((side, name), []).append(spent)
    rows = []
    for side in _SIDES:
        start, whole = (statistics.median(seconds[side, name]) for name in ("few", "all"))
        rate = (images - len(SPLITS)) / (whole - start)
        rows.append([side, f"{start:.1f}", f"{whole:.1f}", f"{rate:.0f}"])
    header = ["", "start-up, s", "total, s", "images/s after start-up"]
    print(f"{images} images, medians of {arguments.runs} runs")
    print(tabulate(rows, header, disable_numparse=True))


def _extract(raw: Path, work: Path, extractor: Extractor) -> float:
    """Do what the features stage does after its imports; return the seconds."""
    started = time.perf_counter()
    with fresh_folder(work / "scratch") as scratch, fresh_folder(work / "features") as folder:
        extract_remotely(raw, scratch, extractor, "float16")
        write_features(raw, folder, extractor, "float16", scratch)
    return time.perf_counter() - started


def _first_images(raw: Path, folder: Path) -> Path:
    """Write a raw table with the first image of every split; return its folder."""
    folder.mkdir()
    for split in SPLITS:
        with pq.ParquetFile(shard_paths(raw, split, "parquet")[0]) as file:
            first = pa.Table.from_batches([next(file.iter_batches(1))])
        pq.write_table(first, folder / shard_name(split, 0, 1, "parquet"))
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--raw", type=Path, default=Path("data/raw"), help="folder of the raw table"
    )
    parser.add_argument(
        "--image-size",
        type=int,
        default=224,
        help="side of the images, in pixels (default: 224)",
    )
    parser.add_argument(
        "--runs", type=int, default=3, help="number of runs of each side (default: %(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
