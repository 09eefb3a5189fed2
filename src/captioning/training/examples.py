"""Joins the feature and token records of the same images.

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
    """The images of a split with their features and tokens.

    Shard k of both folders holds the same images in the same order; the ids are compared while
    reading.

    Returns:
        Dictionaries with `image_id`, `features` `[height, width, C]` and `tokens`, ragged int32
        `[N, None]`.

    Raises:
        tf.errors.InvalidArgumentError: while reading, where the ids of two records differ.
    """
    return parsed(features, tokens, paired(features, tokens, split))


def paired(features: RecordFolder, tokens: RecordFolder, split: str) -> tf.data.Dataset:
    """Pairs of serialized records, of the features and of the tokens of each image."""
    shards = [
        tf.data.Dataset.zip(features.serialized(split, shard), tokens.serialized(split, shard))
        for shard in range(features.shards(split))
    ]
    choice = tf.data.Dataset.range(len(shards)).repeat()
    return tf.data.Dataset.choose_from_datasets(shards, choice, stop_on_empty_dataset=False)


def parsed(
    features: RecordFolder, tokens: RecordFolder, records: tf.data.Dataset
) -> tf.data.Dataset:
    """Parse `paired` records, or batches of them, into examples as those of `joined`."""
    return map_in_order(
        records, lambda one, other: join(features.spec.parse(one), tokens.spec.parse(other))
    )


def join(features: dict[str, tf.Tensor], tokens: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Make one example from the two parsed records of an image, or from batches of them.

    Raises:
        tf.errors.InvalidArgumentError: while reading, where the ids differ.
    """
    same = tf.debugging.assert_equal(
        features["image_id"],
        tokens["image_id"],
        message="features and tokens have different images at the same position: "
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
        features: feature maps of the images `[B, height, width, C]`.
        references: captions of each image, as text.
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
