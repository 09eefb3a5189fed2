"""Small raw tables for tests: of given captions without real images, and of drawn scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from imports import ROOT

from captioning.core.splits import SPLITS, shard_name
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.scenes import Scenes
from captioning.download.write_raw import write_raw
from captioning.params.stages import load_params

SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("image", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("captions", pa.list_(pa.string())),
    ]
)


def write_raw_table(
    folder: Path, captions: Mapping[str, Sequence[Sequence[str]]], shards: int = 2
) -> None:
    """Write images `{split}0`, `{split}1`, … with the given captions, but without real image data.

    `captions[split][i]` are the captions of image i. Images go to the shards in turn.
    """
    folder.mkdir(parents=True)
    for split in SPLITS:
        rows = [
            {
                "image_id": f"{split}{i}",
                "image": b"no image",
                "width": 1,
                "height": 1,
                "captions": list(given),
            }
            for i, given in enumerate(captions[split])
        ]
        for shard in range(shards):
            table = pa.Table.from_pylist(rows[shard::shards], SCHEMA)
            pq.write_table(table, folder / shard_name(split, shard, shards, "parquet"))


def write_scenes(folder: Path, shards: int, side: int, **images: int) -> Path:
    """Write scenes of `side` x `side` pixels; `images`: counts such as `train_images=2`."""
    params = load_params(ROOT / "params.yaml").datasets.scenes
    dataset = Scenes(params.model_copy(update={**images, "image_size": side}))
    write_raw(dataset, folder, shards, Rejections())
    return folder
