"""Read numbers and signatures from the bytes of a file in TensorFlow's graph.

Legend: `n` bytes, which are int32 so that one can calculate with them.
"""

from __future__ import annotations

import tensorflow as tf


def as_bytes(file: tf.Tensor) -> tf.Tensor:
    """The bytes of a string scalar, int32 `[n]`."""
    return tf.cast(tf.io.decode_raw(file, tf.uint8), tf.int32)


def part(data: tf.Tensor, place: tf.Tensor | int, length: int) -> tf.Tensor:
    """`length` bytes from a place, int32 `[length]`; beyond the end of the data, they are 0."""
    found = data[place : place + length]
    found = tf.pad(found, [[0, length - tf.size(found)]])
    return tf.ensure_shape(found, (length,))


def has(data: tf.Tensor, place: tf.Tensor | int, signature: bytes) -> tf.Tensor:
    """Whether the given bytes are at a place, a bool scalar."""
    return tf.reduce_all(part(data, place, len(signature)) == list(signature))


def number(data: tf.Tensor, *, little_endian: tf.Tensor | bool) -> tf.Tensor:
    """The unsigned whole number in the last axis of bytes, int32 `[..., 1 to 4]`.

    Numbers from 2^31 become negative. No size or place in a file is so large.
    """
    weights = [256**power for power in range(data.shape[-1])]
    signed = [weight - (1 << 32 if weight >= 1 << 31 else 0) for weight in weights]
    return tf.reduce_sum(data * tf.where(little_endian, signed, signed[::-1]), axis=-1)
