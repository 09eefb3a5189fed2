"""Makes training batches from feature and token records.

The captions of an image are packed into one sequence, and images with sequences of similar length
share a batch, so a batch has little padding.

Legend: `B` images, `N` captions of an image, `T` tokens, `C` feature channels.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from captioning.data.record_folder import RecordFolder, map_in_order
from captioning.text import START
from captioning.training.examples import join, paired, parsed

# Number of images held in memory for shuffling: 2,048 float16 maps of 7x7x1280 take 250 MB.
SHUFFLE_BUFFER = 2048
# Number of images whose tokens are parsed and packed together.
_CHUNK = 64
# Lengths of packed sequences, in tokens, at which a new bucket begins.
_BUCKETS = list(range(8, 257, 8))


def training_batches(
    features: RecordFolder,
    tokens: RecordFolder,
    split: str,
    batch_images: int,
    captions_per_image: int | None,
    seed: int,
) -> tf.data.Dataset:
    """Batches for `fit`, repeated without end; an epoch has ceil(images / `batch_images`) batches.

    Args:
        features, tokens: record folders whose shards line up.
        split: `train`, `validation` or `test`.
        batch_images: number of images in a batch, `B`.
        captions_per_image: number of captions of each image, `N`, drawn again in every epoch; None
            takes all.
        seed: random seed for the order and for the captions, which both change every epoch.

    Returns:
        Pairs of inputs (`features` `[B, height, width, C]`, `tokens` int32 `[B, T]`) and targets
        int32 `[B, T]`, which are the tokens shifted by one position. Both are padded with 0.
    """
    pairs = paired(features, tokens, split)
    pairs = pairs.shuffle(SHUFFLE_BUFFER, seed, reshuffle_each_iteration=True).repeat()
    draws = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)

    def packed(records: tuple[tf.Tensor, tf.Tensor], seeds: tf.Tensor) -> dict[str, tf.Tensor]:
        # Feature maps, which are most of the data, are parsed last.
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
        # Cut what is only padding: images were padded to the longest sequence of their chunk.
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
    """Batches like those of `training_batches`, but with each image once, in order.

    All captions of an image are taken.

    Args:
        features, tokens: record folders whose shards line up.
        split: `train`, `validation` or `test`.
        batch_images: number of images in a batch.
        images: number of images, from the beginning of the split; None means all.
    """
    count = features.count(split)
    count = count if images is None else min(images, count)
    records = paired(features, tokens, split).take(count).batch(batch_images)

    def packed(example: dict[str, tf.Tensor]) -> Any:
        inputs, targets, _ = _pack(example["tokens"])
        return {"features": example["features"], "tokens": inputs}, targets

    batches = map_in_order(parsed(features, tokens, records), packed)
    return _with_known_number(batches, count, batch_images)


def reference_batches(
    features: RecordFolder,
    tokens: RecordFolder,
    split: str,
    batch_images: int,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Images with all their captions, as references for generated captions.

    Args:
        features, tokens: record folders whose shards line up.
        split: `train`, `validation` or `test`.
        batch_images: number of images in a batch, `B`.
        seed: random seed for the order, which changes every epoch; the batches are then repeated
            without end. None means each image once, in order.

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
        return _with_known_number(batches, features.count(split), batch_images)
    return batches.prefetch(tf.data.AUTOTUNE)


def _with_known_number(batches: tf.data.Dataset, images: int, batch_images: int) -> tf.data.Dataset:
    """Tell Keras the number of batches; without it, Keras warns that the data ran out."""
    number = -(-images // batch_images)
    known = batches.apply(tf.data.experimental.assert_cardinality(number))
    return known.prefetch(tf.data.AUTOTUNE)


def _draw(captions: tf.RaggedTensor, number: int, seeds: tf.Tensor) -> tf.RaggedTensor:
    """Draw some captions of each image without replacement.

    Args:
        captions: ragged int32 `[B, N, None]`.
        number: number of captions to draw; all are kept where there are fewer.
        seeds: random seeds for the images, int64 `[B, 2]`.

    Returns:
        Captions, ragged int32 `[B, number, None]`.
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
    """Pack the captions of each image one after the other, without padding between them.

    Args:
        captions: ragged int32 `[B, N, None]`.

    Returns:
        Inputs int32 `[B, T]`, without the last token of each caption; targets int32 `[B, T]`,
        without its first token; and the length of each sequence, int32 `[B]`. Inputs and targets
        are padded with 0.
    """
    tokens = captions.flat_values
    # [START] is the first token of each caption, and occurs nowhere else.
    following = tf.concat([tokens[1:], [START]], axis=0)
    lengths = captions.merge_dims(1, 2).row_lengths() - captions.row_lengths()

    def rows(kept: tf.Tensor) -> tf.Tensor:
        left = tf.boolean_mask(tokens, kept)
        return tf.RaggedTensor.from_row_lengths(left, lengths, validate=False).to_tensor()

    return rows(following != START), rows(tokens != START), tf.cast(lengths, tf.int32)
