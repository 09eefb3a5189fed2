"""From feature and token records to training batches.

An image's captions are packed into one sequence, and images whose sequences are about as long
share a batch: little of a batch is padding.

Legend: `B` images, `N` captions of an image, `T` tokens, `C` feature channels.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from captioning.data.record_folder import RecordFolder, map_in_order
from captioning.text import START
from captioning.training.examples import join, paired, parsed

# Images in memory while shuffling: 2,048 half-precision maps of 7x7x1280 take 250 MB.
SHUFFLE_BUFFER = 2048
# Images whose tokens are parsed and packed at once.
_CHUNK = 64
# Lengths, in tokens of all captions of an image, at which a new bucket begins.
_BUCKETS = list(range(8, 257, 8))


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
    pairs = paired(features, tokens, split)
    pairs = pairs.shuffle(SHUFFLE_BUFFER, seed, reshuffle_each_iteration=True).repeat()
    draws = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)

    def packed(records: tuple[tf.Tensor, tf.Tensor], seeds: tf.Tensor) -> dict[str, tf.Tensor]:
        # Feature maps, nearly all there is to read, are parsed last.
        example = tokens.spec.parse(records[1])
        captions = example["tokens"]
        if captions_per_image is not None:
            captions = _draw(captions, captions_per_image, seeds)
        inputs, targets, lengths = _pack(captions)
        return {
            "image_id": example["image_id"],
            "features": records[0],
            "inputs": inputs,
            "targets": targets,
            "length": lengths,
        }

    chunks = tf.data.Dataset.zip(pairs.batch(_CHUNK), draws.batch(_CHUNK))
    batches = (
        map_in_order(chunks, packed)
        .unbatch()
        .bucket_by_sequence_length(
            lambda example: example["length"],
            bucket_boundaries=_BUCKETS,
            bucket_batch_sizes=[batch_images] * (len(_BUCKETS) + 1),
        )
    )

    def finished(batch: dict[str, tf.Tensor]) -> Any:
        # Wider than needed: a chunk's images were padded to its longest.
        longest = tf.reduce_max(batch["length"])
        example = join(features.spec.parse(batch["features"]), batch)
        inputs = {"features": example["features"], "tokens": batch["inputs"][:, :longest]}
        return inputs, batch["targets"][:, :longest]

    return map_in_order(batches, finished).prefetch(tf.data.AUTOTUNE)


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
    records = paired(features, tokens, split).take(count).batch(batch_images)

    def packed(example: dict[str, tf.Tensor]) -> Any:
        inputs, targets, _ = _pack(example["tokens"])
        return {"features": example["features"], "tokens": inputs}, targets

    batches = map_in_order(parsed(features, tokens, records), packed)
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
    records = paired(features, tokens, split)
    if seed is not None:
        records = records.shuffle(SHUFFLE_BUFFER, seed, reshuffle_each_iteration=True).repeat()
    batches = map_in_order(
        parsed(features, tokens, records.batch(batch_images)),
        lambda example: (example["features"], example["tokens"].to_tensor()),
    )
    if seed is None:
        return _of_known_number(batches, features.count(split), batch_images)
    return batches.prefetch(tf.data.AUTOTUNE)


def _of_known_number(batches: tf.data.Dataset, images: int, batch_images: int) -> tf.data.Dataset:
    """Not knowing how many batches there are, Keras would warn that the data ran out."""
    number = -(-images // batch_images)
    known = batches.apply(tf.data.experimental.assert_cardinality(number))
    return known.prefetch(tf.data.AUTOTUNE)


def _draw(captions: tf.RaggedTensor, number: int, seeds: tf.Tensor) -> tf.RaggedTensor:
    """Keep some captions of each image, `[B, N, None]`, drawn without replacement.

    Args:
        captions: ragged `[B, N, None]`.
        number: of captions kept, where there are as many.
        seeds: int64 `[B, 2]`.
    """

    def drawn(image: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        count, seed = image
        return tf.random.experimental.stateless_shuffle(tf.range(count), seed)[:number]

    kept = tf.map_fn(
        drawn,
        (captions.row_lengths(), seeds),
        fn_output_signature=tf.RaggedTensorSpec([None], tf.int64, ragged_rank=0),
    )
    return tf.gather(captions, kept, batch_dims=1)


def _pack(captions: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Each image's captions one after the other, without what stands between them.

    Args:
        captions: ragged int32 `[B, N, None]`.

    Returns:
        Inputs int32 `[B, T]`, without each caption's last token; targets int32 `[B, T]`, without
        its first; and how long each image's are, int32 `[B]`. Padded with 0.
    """
    tokens = captions.flat_values
    # A caption's first token is [START], and no other one is.
    following = tf.concat([tokens[1:], [START]], axis=0)
    lengths = captions.merge_dims(1, 2).row_lengths() - captions.row_lengths()

    def rows(kept: tf.Tensor) -> tf.Tensor:
        left = tf.boolean_mask(tokens, kept)
        return tf.RaggedTensor.from_row_lengths(left, lengths, validate=False).to_tensor()

    return rows(following != START), rows(tokens != START), tf.cast(lengths, tf.int32)
