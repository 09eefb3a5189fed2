"""The tutorial's cache and input pipeline: one float32 feature map for each caption.

Legend: `B` captions, `T` tokens, `C` feature channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.tutorial import BATCH_CAPTIONS
from captioning.data.record_folder import RecordFolder
from captioning.training.examples import joined

_SHARDS, _SHUFFLE, _CYCLE = 10, 1000, 2


def write_cache(features: RecordFolder, tokens: RecordFolder, split: str, folder: Path) -> int:
    """Save a split as the tutorial's `save_dataset` does; return the number of bytes.

    Every caption is a separate element, with the whole feature map of its image, and with inputs
    and targets as separate int64 arrays.
    """
    height, width, channels = features.spec.shape("features")

    def elements() -> Iterator[tuple[tuple[Any, Any], Any]]:
        for example in joined(features, tokens, split):
            feature_map = example["features"].numpy().astype("float32")
            for caption in example["tokens"].to_list():
                ids = np.array(caption, np.int64)
                yield (feature_map, ids[:-1]), ids[1:]

    ids = tf.TensorSpec([None], tf.int64)
    signature = ((tf.TensorSpec([height, width, channels], tf.float32), ids), ids)
    dataset = tf.data.Dataset.from_generator(elements, output_signature=signature)
    dataset.shuffle(_SHUFFLE).enumerate().save(
        str(folder), shard_func=lambda index, _: index % _SHARDS
    )
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def load_cache(folder: Path) -> tf.data.Dataset:
    """Batches as the tutorial's `load_dataset` makes them, each padded to its longest caption.

    Returns:
        Pairs of inputs (features float32 `[B, height, width, C]`, tokens int64 `[B, T]`) and
        targets int64 `[B, T]`.
    """

    def reader(shards: tf.data.Dataset) -> tf.data.Dataset:
        return shards.shuffle(_SHUFFLE).interleave(lambda shard: shard, cycle_length=_CYCLE)

    dataset = tf.data.Dataset.load(str(folder), reader_func=reader)
    dataset = dataset.map(lambda _, element: element).shuffle(_SHUFFLE)
    return dataset.padded_batch(BATCH_CAPTIONS).prefetch(tf.data.AUTOTUNE)
