"""From the raw table's images to sharded feature records, a few batches in memory at a time.

Legend: `B` images, `C` feature channels.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from captioning.core.splits import SPLITS
from captioning.data.images import load_pixels
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_spec import Field, RecordSpec
from captioning.data.record_writer import write_index, write_shards
from captioning.extractors import Extractor
from captioning.extractors.run import batch_images, extract

# Batches that may wait for each thread.
_AHEAD = 2


def feature_spec(shape: tuple[int, int, int], dtype: str) -> RecordSpec:
    """Records of one feature map `[height, width, C]` an image."""
    return RecordSpec((Field("image_id", "string"), Field("features", dtype, shape)))


def write_features(
    raw: Path | str, folder: Path, extractor: Extractor, dtype: str, scratch: Path | None = None
) -> dict[str, Any]:
    """Extract every image once and write it as a record, in the raw table's order and shards.

    Args:
        raw: folder of the raw table.
        folder: where the shards and their index go.
        extractor: the frozen backbone.
        dtype: `float16` or `float32`, as stored.
        scratch: where whole shards wait for the others; those found there aren't extracted again.

    Returns:
        `extractor`, `weights_sha256`, `grid`, `channels`, `dtype`, `images` for every split,
        `bytes` of all shards and `bytes_per_image`.

    Raises:
        InputError: an image can't be decoded, or a feature is not finite in `dtype`.
    """
    height, width, channels = extractor.output_shape
    spec = feature_spec(extractor.output_shape, dtype)
    splits = {}
    for split in SPLITS:
        paths = raw_shards(raw, split)
        with tqdm(desc=f"features {split}", unit=" images", disable=None) as progress:
            shards = [feature_records(read_raw_shard(path), extractor, progress) for path in paths]
            resume = scratch is not None
            splits[split] = write_shards(scratch or folder, split, spec, shards, resume)
    if scratch is not None:
        for path in scratch.glob("*.tfrecord"):
            shutil.move(path, folder / path.name)
    source = {
        "extractor": extractor.name,
        "image_size": extractor.image_size,
        "weights_sha256": extractor.weights_sha256,
    }
    write_index(folder, spec, splits, source)
    images = {name: sum(s["examples"] for s in shards) for name, shards in splits.items()}
    total = sum(summary["bytes"] for shards in splits.values() for summary in shards)
    return {
        "extractor": extractor.name,
        "weights_sha256": extractor.weights_sha256,
        "grid": [height, width],
        "channels": channels,
        "dtype": dtype,
        "images": images,
        "bytes": total,
        "bytes_per_image": round(total / max(sum(images.values()), 1)),
    }


def feature_records(
    rows: Iterator[Mapping[str, Any]],
    extractor: Extractor,
    progress: tqdm[Any] | None = None,
    threads: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Records `image_id`, `features` of rows `image_id`, `image` of the raw table, in order.

    Each of `threads` threads decodes a batch and extracts it; None means one thread a core.
    """
    size, workers = extractor.image_size, threads or os.cpu_count() or 1

    def work(batch: list[Mapping[str, Any]]) -> NDArray[np.float32]:
        pixels = [load_pixels(row["image"], size, row["image_id"]) for row in batch]
        return extract(extractor, np.stack(pixels))

    with ThreadPoolExecutor(workers) as pool:
        pending: deque[tuple[list[str], Future[NDArray[np.float32]]]] = deque()

        def finished() -> Iterator[dict[str, Any]]:
            ids, future = pending.popleft()
            for image_id, feature_map in zip(ids, future.result(), strict=True):
                yield {"image_id": image_id, "features": feature_map}
            if progress is not None:
                progress.update(len(ids))

        number = batch_images(size)
        while batch := list(islice(rows, number)):
            pending.append(([row["image_id"] for row in batch], pool.submit(work, batch)))
            if len(pending) > _AHEAD * workers:
                yield from finished()
        while pending:
            yield from finished()
