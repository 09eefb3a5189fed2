"""From feature and token records to training batches.

An image's captions are packed into one sequence, and images whose sequences are about as long
share a batch: little of a batch is padding.

Legend: `B` images, `N` captions of an image, `T` tokens, `C` feature channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.record_folder import RecordFolder
from captioning.text import START, Vocabulary

# Images in memory while shuffling: 2,048 half-precision maps of 7x7x1280 take 250 MB.
SHUFFLE_BUFFER = 2048
# Lengths, in tokens of all captions of an image, at which a new bucket begins.
_BUCKETS = list(range(8, 257, 8))


def joined(features: RecordFolder, tokens: RecordFolder, split: str) -> tf.data.Dataset:
    """Image by image: `image_id`, `features` `[height, width, C]`, `tokens` ragged int32
    `[N, None]`.

    Shard k of both holds the same images in the same order; the ids are compared as they come.

    Raises:
        tf.errors.InvalidArgumentError: while reading, where the ids of a record differ.
    """
    return _paired(features, tokens, split).map(
        lambda one, other: _join(features.spec.parse(one), tokens.spec.parse(other)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _paired(features: RecordFolder, tokens: RecordFolder, split: str) -> tf.data.Dataset:
    """Image by image the records of its features and of its tokens, not parsed yet."""
    shards = [
        tf.data.Dataset.zip(features.serialized(split, shard), tokens.serialized(split, shard))
        for shard in range(features.shards(split))
    ]
    choice = tf.data.Dataset.range(len(shards)).repeat()
    return tf.data.Dataset.choose_from_datasets(shards, choice, stop_on_empty_dataset=False)


def training_batches(
    features: RecordFolder,
    tokens: RecordFolder,
    split: str,
    batch_images: int,
    captions_per_image: int | None,
    seed: int,
) -> tf.data.Dataset:
    """Batches for `fit`, without end: an epoch is ceil(images / `batch_images`) of them.

    Args:
        features, tokens: folders whose shards line up.
        split: `train`, `validation` or `test`.
        batch_images: `B`.
        captions_per_image: `N`, drawn anew every epoch; None takes all.
        seed: of the order and of the draw, both new every epoch.

    Returns:
        Pairs of inputs (`features` `[B, height, width, C]`, `tokens` int32 `[B, T]`) and targets
        int32 `[B, T]`, the tokens one place on; both padded with 0.
    """
    pairs = _paired(features, tokens, split)
    pairs = pairs.shuffle(SHUFFLE_BUFFER, seed, reshuffle_each_iteration=True).repeat()
    draws = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)

    def packed(pair: tuple[tf.Tensor, tf.Tensor], draw: tf.Tensor) -> Any:
        # The feature map, nearly all there is to read, is parsed a batch at a time.
        example = {"features": pair[0], **tokens.spec.parse(pair[1])}
        if captions_per_image is not None:
            example = _draw(example, captions_per_image, draw)
        return (example["image_id"], *_pack(example))

    # One map and not several: each costs an image some 30 microseconds.
    sequences = tf.data.Dataset.zip(pairs, draws).map(
        packed, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    batches = sequences.bucket_by_sequence_length(
        lambda _, inputs, __: tf.shape(inputs["tokens"])[0],
        bucket_boundaries=_BUCKETS,
        bucket_batch_sizes=[batch_images] * (len(_BUCKETS) + 1),
        padded_shapes=([], {"features": [], "tokens": [None]}, [None]),
    )

    def parsed(ids: tf.Tensor, inputs: dict[str, tf.Tensor], targets: tf.Tensor) -> Any:
        records = {"image_id": ids, "tokens": inputs["tokens"]}
        whole = _join(features.spec.parse(inputs["features"]), records)
        return {"features": whole["features"], "tokens": whole["tokens"]}, targets

    return batches.map(parsed, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(
        tf.data.AUTOTUNE
    )


def evaluation_batches(
    features: RecordFolder,
    tokens: RecordFolder,
    split: str,
    batch_images: int,
    images: int | None = None,
) -> tf.data.Dataset:
    """Every image of a split (or its first `images`) once and in order, as `training_batches`."""
    count = features.count(split)
    count = count if images is None else min(images, count)
    dataset = joined(features, tokens, split).take(count)
    packed = dataset.map(_pack, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = packed.padded_batch(batch_images, _padded_shapes(features))
    return _of_known_number(batches, count, batch_images)


def reference_batches(
    features: RecordFolder,
    tokens: RecordFolder,
    split: str,
    batch_images: int,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Images with all their captions side by side, as references of what a model says.

    Args:
        features, tokens: folders whose shards line up.
        split: `train`, `validation` or `test`.
        batch_images: `B`.
        seed: of the order, new every epoch, without end; None takes every image once and in order.

    Returns:
        Pairs of feature maps `[B, height, width, C]` and captions int32 `[B, N, T]`, padded with 0.
    """
    dataset = joined(features, tokens, split)
    if seed is not None:
        dataset = dataset.shuffle(SHUFFLE_BUFFER, seed, reshuffle_each_iteration=True).repeat()
    pairs = dataset.map(
        lambda example: (example["features"], example["tokens"].to_tensor()),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    batches = pairs.padded_batch(batch_images, (feature_shape(features), (None, None)))
    if seed is None:
        return _of_known_number(batches, features.count(split), batch_images)
    return batches.prefetch(tf.data.AUTOTUNE)


def _of_known_number(batches: tf.data.Dataset, images: int, batch_images: int) -> tf.data.Dataset:
    """Not knowing how many batches there are, Keras would warn that the data ran out."""
    number = -(-images // batch_images)
    known = batches.apply(tf.data.experimental.assert_cardinality(number))
    return known.prefetch(tf.data.AUTOTUNE)


def feature_shape(features: RecordFolder) -> tuple[int, int, int]:
    """`(height, width, C)` of the feature maps in a folder."""
    height, width, channels = features.spec.shape("features")
    assert height is not None and width is not None and channels is not None
    return height, width, channels


def _padded_shapes(features: RecordFolder) -> tuple[Any, Any]:
    sequence = tf.TensorShape([None])
    return {
        "features": tf.TensorShape(feature_shape(features)),
        "tokens": sequence,
    }, sequence


def _join(features: dict[str, tf.Tensor], tokens: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """One example of two records of the same image, or of a batch of them."""
    same = tf.debugging.assert_equal(
        features["image_id"],
        tokens["image_id"],
        message="features and tokens list different images at the same place: "
        "re-run `dvc repro --force features tokens`",
    )
    with tf.control_dependencies([same]):
        image_id = tf.identity(features["image_id"])
        maps = tf.identity(features["features"])
    return {
        "image_id": image_id,
        "features": maps,
        "tokens": tokens["tokens"],
    }


def _draw(example: dict[str, tf.Tensor], captions: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Keep some captions of an image, drawn without replacement."""
    count = example["tokens"].nrows()
    order = tf.random.experimental.stateless_shuffle(tf.range(count), seed)
    return {**example, "tokens": tf.gather(example["tokens"], order[:captions])}


def _pack(example: dict[str, tf.Tensor]) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Captions one after the other: inputs without each one's last token, targets without its
    first."""
    tokens = example["tokens"].flat_values
    # A caption's first token is [START], and no other one is.
    following = tf.concat([tokens[1:], [START]], axis=0)
    inputs = {"features": example["features"], "tokens": tokens[following != START]}
    return inputs, tokens[tokens != START]


def first_examples(
    features: RecordFolder, tokens: RecordFolder, vocabulary: Vocabulary, split: str, count: int
) -> tuple[list[str], NDArray[Any], list[list[str]]]:
    """The first images of a split: ids, feature maps `[B, height, width, C]`, captions as text."""
    examples = list(joined(features, tokens, split).take(count))
    ids = [example["image_id"].numpy().decode() for example in examples]
    height, width, channels = feature_shape(features)
    maps = np.array([e["features"].numpy() for e in examples]).reshape(-1, height, width, channels)
    captions = [[vocabulary.decode(row) for row in e["tokens"].to_list()] for e in examples]
    return ids, maps, captions
