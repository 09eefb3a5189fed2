"""Images with their features and their captions, from the records of two stages.

Legend: `B` images, `N` captions of an image, `C` feature channels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.data.record_folder import RecordFolder, map_in_order
from captioning.text import Vocabulary


def joined(features: RecordFolder, tokens: RecordFolder, split: str) -> tf.data.Dataset:
    """Image by image: `image_id`, `features` `[height, width, C]`, `tokens` ragged int32
    `[N, None]`.

    Shard k of both holds the same images in the same order; the ids are compared as they come.

    Raises:
        tf.errors.InvalidArgumentError: while reading, where the ids of a record differ.
    """
    return parsed(features, tokens, paired(features, tokens, split))


def paired(features: RecordFolder, tokens: RecordFolder, split: str) -> tf.data.Dataset:
    """Image by image the records of its features and of its tokens, not parsed yet."""
    shards = [
        tf.data.Dataset.zip(features.serialized(split, shard), tokens.serialized(split, shard))
        for shard in range(features.shards(split))
    ]
    choice = tf.data.Dataset.range(len(shards)).repeat()
    return tf.data.Dataset.choose_from_datasets(shards, choice, stop_on_empty_dataset=False)


def parsed(
    features: RecordFolder, tokens: RecordFolder, records: tf.data.Dataset
) -> tf.data.Dataset:
    """The examples of `paired` records, or of batches of them."""
    return map_in_order(
        records, lambda one, other: join(features.spec.parse(one), tokens.spec.parse(other))
    )


def join(features: dict[str, tf.Tensor], tokens: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """One example of two records of the same image, or of a batch of them.

    Raises:
        tf.errors.InvalidArgumentError: while reading, where the ids differ.
    """
    same = tf.debugging.assert_equal(
        features["image_id"],
        tokens["image_id"],
        message="features and tokens list different images at the same place: "
        "re-run `dvc repro --force features tokens`",
    )
    with tf.control_dependencies([same]):
        image_id = tf.identity(features["image_id"])
        maps = tf.identity(features["features"])
    return {**tokens, "image_id": image_id, "features": maps}


def feature_shape(features: RecordFolder) -> tuple[int, int, int]:
    """`(height, width, C)` of the feature maps in a folder."""
    height, width, channels = features.spec.shape("features")
    assert height is not None and width is not None and channels is not None
    return height, width, channels


class Examples(NamedTuple):
    """A few images to caption while training.

    Attributes:
        image_ids: ids of the images.
        features: their feature maps `[B, height, width, C]`.
        references: the captions of each image, as text.
    """

    image_ids: list[str]
    features: NDArray[Any]
    references: list[list[str]]


def first_examples(
    features: RecordFolder, tokens: RecordFolder, vocabulary: Vocabulary, split: str, count: int
) -> Examples:
    """The first `count` images of a split."""
    examples = list(joined(features, tokens, split).take(count))
    ids = [example["image_id"].numpy().decode() for example in examples]
    height, width, channels = feature_shape(features)
    maps = np.array([e["features"].numpy() for e in examples]).reshape(-1, height, width, channels)
    captions = [[vocabulary.decode(row) for row in e["tokens"].to_list()] for e in examples]
    return Examples(ids, maps, captions)
