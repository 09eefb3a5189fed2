"""Extract the features of the raw table's images and write them as sharded records.

Only a few batches of images are in memory at a time.

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
from captioning.data.images.decode import load_pixels
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_spec import Field, RecordSpec, ShardSummary
from captioning.data.record_writer import write_index, write_shards
from captioning.extractors import Extractor
from captioning.extractors.run import batch_images, extract

_QUEUED_BATCHES_PER_THREAD = 2


def feature_spec(shape: tuple[int, int, int], dtype: str) -> RecordSpec:
    """Specification of records with an image id and a feature map `[height, width, C]`."""
    return RecordSpec((Field("image_id", "string"), Field("features", dtype, shape)))


def write_features(
    raw: Path | str, folder: Path, extractor: Extractor, dtype: str, scratch: Path | None = None
) -> dict[str, Any]:
    """Extract the features of every image, and write them in the shards and order of the raw table.

    Args:
        raw: folder of the raw table.
        folder: where the shards and their index are written.
        extractor: frozen backbone.
        dtype: dtype of the stored features, `float16` or `float32`.
        scratch: folder for finished shards, which stay there. Shards that an interrupted run left
            there are not extracted again. None writes to `folder` directly.

    Returns:
        The figures of `feature_summary`.

    Raises:
        InputError: an image cannot be decoded, or a feature is not finite in `dtype`.
    """
    spec = feature_spec(extractor.output_shape, dtype)
    splits = {}
    for split in SPLITS:
        paths = raw_shards(raw, split)
        images = sum(1 for path in paths for _ in read_raw_shard(path, ["image_id"]))
        with tqdm(desc=f"features {split}", total=images, unit=" images", disable=None) as progress:
            shards = [feature_records(read_raw_shard(path), extractor, progress) for path in paths]
            resume = scratch is not None
            splits[split] = write_shards(scratch or folder, split, spec, shards, resume)
    if scratch is not None:
        for path in scratch.glob("*.tfrecord"):
            _link(path, folder / path.name)
    source = {
        "extractor": extractor.name,
        "image_size": extractor.image_size,
        "weights_sha256": extractor.weights_sha256,
    }
    write_index(folder, spec, splits, source)
    return feature_summary(extractor, dtype, splits)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has only one name for a file."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def feature_summary(
    extractor: Extractor, dtype: str, splits: Mapping[str, list[ShardSummary]]
) -> dict[str, Any]:
    """Figures about the written features.

    Args:
        extractor: frozen backbone.
        dtype: dtype of the stored features.
        splits: for each split, the summaries of its shards.

    Returns:
        `extractor`, `weights_sha256`, `grid` (height and width), `channels`, `dtype`, `images` of
        each split, `bytes` of all shards and `bytes_per_image`.
    """
    height, width, channels = extractor.output_shape
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
    """Extract the features of rows of the raw table, in their order.

    Args:
        rows: rows with `image_id` and `image`.
        extractor: frozen backbone.
        progress: progress bar, advanced by the number of extracted images.
        threads: number of threads, each of which decodes and extracts whole batches; None means
            one thread per core.

    Returns:
        Records with `image_id` and `features` float32 `[height, width, C]`.
    """
    size, workers = extractor.image_size, threads or os.cpu_count() or 1

    def extract_batch(batch: list[Mapping[str, Any]]) -> NDArray[np.float32]:
        pixels = [load_pixels(row["image"], size, row["image_id"]) for row in batch]
        return extract(extractor, np.stack(pixels))

    with ThreadPoolExecutor(workers) as pool:
        pending: deque[tuple[list[str], Future[NDArray[np.float32]]]] = deque()

        def oldest_batch() -> Iterator[dict[str, Any]]:
            ids, future = pending.popleft()
            for image_id, feature_map in zip(ids, future.result(), strict=True):
                yield {"image_id": image_id, "features": feature_map}
            if progress is not None:
                progress.update(len(ids))

        number = batch_images(size)
        while batch := list(islice(rows, number)):
            pending.append(([row["image_id"] for row in batch], pool.submit(extract_batch, batch)))
            if len(pending) > _QUEUED_BATCHES_PER_THREAD * workers:
                yield from oldest_batch()
        while pending:
            yield from oldest_batch()
