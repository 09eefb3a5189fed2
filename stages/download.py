"""Stage `download`: the chosen dataset as the raw table."""

from __future__ import annotations

import _environment  # noqa: F401

from captioning.core.files import fresh_folder, write_json
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.registry import make_dataset
from captioning.download.own_outputs import check_inputs
from captioning.download.write_raw import write_raw
from captioning.params.stages import Params
from captioning.stage.main import stage_main


def download(params: Params) -> None:
    """Write data/raw and metrics/download.json."""
    check_inputs(params)
    dataset = make_dataset(params)
    with (
        fresh_folder("data/raw") as folder,
        Rejections(folder / "rejected.parquet") as rejections,
    ):
        summary = write_raw(dataset, folder, params.download.shards, rejections)
    write_json("metrics/download.json", summary)


if __name__ == "__main__":
    stage_main(download, "data/raw", "metrics/download.json")
