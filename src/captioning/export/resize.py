"""Resize pictures in TensorFlow's graph to exactly the pixels that Pillow's bilinear filter gives.

TensorFlow's own `tf.image.resize` computes in floating point. Pillow resizes 8-bit pictures in two
passes, first across, then down; each multiplies by whole numbers, a fixed-point form of the
filter's weights, and rounds to 8 bits. Whole numbers make the result the same on every machine.

Legend: `B` pictures, `h`, `w` height and width of a picture, `S` side of the resized picture, `n`
length of an axis before resizing, `t` number of pixels under the filter.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import tensorflow as tf
from PIL import Image

#: Bits after the binary point of a weight: of 32 bits, 8 are left for the pixel and 2 for the sum.
_FRACTION_BITS = 22


def resize(images: tf.Tensor, size: int, *, tall_ones_down_first: bool) -> tf.Tensor:
    """Resize pictures to squares, with antialiasing; the aspect ratio is not kept.

    Args:
        images: uint8 `[B, h, w, 3]`.
        size: side `S` of the resized pictures, in pixels.
        tall_ones_down_first: see `pillow_begins_with_the_height`.

    Returns:
        uint8 `[B, S, S, 3]`, the pixels of `data.images.decode.resize`.
    """
    across, down = (
        partial(_resize_axis, axis=2, size=size),
        partial(_resize_axis, axis=1, size=size),
    )
    if not tall_ones_down_first:
        return down(across(images))
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    is_tall = tf.logical_and(height > size, height + size > 2 * width)
    return tf.cond(is_tall, lambda: across(down(images)), lambda: down(across(images)))


def pillow_begins_with_the_height() -> bool:
    """Whether the installed Pillow resizes tall pictures down first, then across.

    Because of the rounding in between, the order changes pixels by 1. Pillow has always begun with
    the width; newer versions begin with the height where that takes fewer operations.
    """
    height, width, size = 256, 8, 16
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    picture, bilinear = Image.fromarray(noise), Image.Resampling.BILINEAR
    across = picture.resize((size, height), bilinear).resize((size, size), bilinear)
    return picture.resize((size, size), bilinear).tobytes() != across.tobytes()


def _resize_axis(images: tf.Tensor, axis: int, size: int) -> tf.Tensor:
    """Resize one axis of uint8 `[B, h, w, 3]` to `S`."""
    # The product of a sparse matrix wants the axis in front.
    order = [axis, *(other for other in range(4) if other != axis)]
    back = [order.index(place) for place in range(4)]
    return tf.transpose(_resize_first_axis(tf.transpose(images, order), size), back)


def _resize_first_axis(images: tf.Tensor, size: int) -> tf.Tensor:
    """Resize the first axis of uint8 `[n, ...]` to `[S, ...]`."""
    shape = tf.shape(images)
    flat = tf.cast(tf.reshape(images, (shape[0], tf.reduce_prod(shape[1:]))), tf.int32)
    sums = tf.sparse.sparse_dense_matmul(filter_weights(shape[0], size), flat)
    rounded = tf.bitwise.right_shift(sums + (1 << (_FRACTION_BITS - 1)), _FRACTION_BITS)
    pixels = tf.cast(tf.clip_by_value(rounded, 0, 255), tf.uint8)
    return tf.reshape(pixels, tf.concat([[size], shape[1:]], axis=0))


def filter_weights(length: tf.Tensor, size: int) -> tf.SparseTensor:
    """The weights of an axis' pixels in each resized pixel, int32 `[S, n]`, in fixed point.

    The triangle filter, stretched by the ratio of the lengths if the axis becomes shorter.

    Args:
        length: length `n` of the axis, an int32 scalar.
        size: its length `S` after resizing.
    """
    scale = tf.cast(length, tf.float64) / size
    stretch = tf.maximum(scale, 1.0)
    center = (tf.range(size, dtype=tf.float64) + 0.5) * scale
    # Casts to whole numbers cut off the fraction, as in C.
    first = tf.maximum(tf.cast(center - stretch + 0.5, tf.int32), 0)
    end = tf.minimum(tf.cast(center + stretch + 0.5, tf.int32), length)
    taps = tf.cast(tf.math.ceil(stretch), tf.int32) * 2 + 1
    place = first[:, None] + tf.range(taps)[None, :]  # [S, t]
    distance = tf.cast(place, tf.float64) - center[:, None] + 0.5
    triangle = tf.maximum(1.0 - tf.abs(distance * (1.0 / stretch)), 0.0)
    is_inside = place < end[:, None]
    triangle = tf.where(is_inside, triangle, 0.0)
    # A cumulative sum adds one by one, as Pillow does; another order may round differently.
    share = triangle / tf.cumsum(triangle, axis=1)[:, -1:]
    weights = tf.cast(share * (1 << _FRACTION_BITS) + 0.5, tf.int32)
    used = tf.where(is_inside)
    indices = tf.stack([used[:, 0], tf.cast(tf.gather_nd(place, used), tf.int64)], axis=1)
    shape = tf.cast(tf.stack([size, length]), tf.int64)
    return tf.SparseTensor(indices, tf.gather_nd(weights, used), shape)
