"""Stage `download`: the chosen dataset as the raw table."""

from __future__ import annotations

import _environment  # noqa: F401

from captioning.datasets.base import Rejections
from captioning.datasets.registry import make_dataset
from captioning.files import fresh_folder, write_json
from captioning.params import Params
from captioning.raw_writer import write_raw
from captioning.stage import stage_main


def download(params: Params) -> None:
    """Write data/raw and metrics/download.json."""
    dataset = make_dataset(params)
    with (
        fresh_folder("data/raw") as folder,
        Rejections(folder / "rejected.parquet") as rejections,
    ):
        summary = write_raw(dataset, folder, params.download.shards, rejections)
    write_json("metrics/download.json", summary)


if __name__ == "__main__":
    stage_main(download)
