"""Turn photographs upright in TensorFlow's graph, by the EXIF orientation of a JPEG file.

A JPEG file begins with a list of segments: 0xFF, a marker, and a length of two bytes, which counts
itself but not the marker. Cameras store the orientation in the segment APP1, as an entry of a
directory in the form of TIFF.

Legend: `n` bytes, which are int32 so that one can calculate with them; `h`, `w` height and width of
a picture.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from captioning.export.file_bytes import has, number, part

_APP1, _START_OF_SCAN = 0xE1, 0xDA
_EXIF = b"Exif\0\0"
_LITTLE_ENDIAN, _BIG_ENDIAN = b"II*\0", b"MM\0*"
# Bytes of a segment before its content, and of an entry of a directory.
_SEGMENT_HEADER, _ENTRY = 4, 12
_ORIENTATION_TAG, _TYPE_SHORT = 0x0112, 3
_UPRIGHT = 1


def turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Apply an EXIF orientation.

    Args:
        image: uint8 `[h, w, 3]`.
        orientation: int32 scalar. Numbers other than 2 to 8 change nothing.

    Returns:
        uint8 `[h, w, 3]`; `[w, h, 3]` for the orientations 5 to 8.
    """
    steps: tuple[tuple[tuple[int, ...], Callable[[tf.Tensor], tf.Tensor]], ...] = (
        ((5, 6, 7, 8), lambda x: tf.transpose(x, (1, 0, 2))),
        ((3, 4, 7, 8), lambda x: tf.reverse(x, [0])),
        ((2, 3, 6, 7), lambda x: tf.reverse(x, [1])),
    )
    for orientations, change in steps:
        is_needed = tf.reduce_any(tf.equal(orientation, orientations))
        image = _either(is_needed, change, image)
    return image


def _either(
    condition: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor
) -> tf.Tensor:
    """`change(x)` if the condition holds, otherwise `x`."""
    return tf.cond(condition, lambda: change(x), lambda: x)


def jpeg_orientation(data: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation of a JPEG file, an int32 scalar; 1 if it has none, or a damaged one.

    Args:
        data: the bytes of the file, int32 `[n]`.
    """
    tiff = _exif_data(data)
    little, big = has(tiff, 0, _LITTLE_ENDIAN), has(tiff, 0, _BIG_ENDIAN)
    directory = number(part(tiff, 4, 4), little_endian=little)
    is_inside = tf.logical_and(directory >= 8, directory < tf.size(tiff))
    return tf.cond(
        tf.logical_and(tf.logical_or(little, big), is_inside),
        lambda: _orientation_in_directory(tiff, directory, little),
        lambda: tf.constant(_UPRIGHT),
    )


def _exif_data(data: tf.Tensor) -> tf.Tensor:
    """The content of the first segment with EXIF data, int32 `[*]`; empty if there is none."""

    def has_segment(place: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        header = part(data, place, 2)
        is_segment = tf.logical_and(header[0] == 0xFF, header[1] != _START_OF_SCAN)
        return tf.logical_and(is_segment, tf.logical_not(found))

    def advance(place: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        marker = part(data, place + 1, 1)[0]
        is_exif = tf.logical_and(marker == _APP1, has(data, place + _SEGMENT_HEADER, _EXIF))
        # 0xFF may be repeated before a marker.
        length = tf.where(marker == 0xFF, 1, _segment_length(data, place))
        return tf.where(is_exif, place, place + length), is_exif

    # Two bytes mark the start of a JPEG file.
    place, found = tf.while_loop(has_segment, advance, (tf.constant(2), tf.constant(False)))
    end = tf.where(found, place + _segment_length(data, place), 0)
    return data[place + _SEGMENT_HEADER + len(_EXIF) : end]


def _segment_length(data: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """The length in bytes of the segment at a place, with its marker."""
    return 2 + number(part(data, place + 2, 2), little_endian=False)


def _orientation_in_directory(
    tiff: tf.Tensor, directory: tf.Tensor, little: tf.Tensor
) -> tf.Tensor:
    """The orientation in the directory of EXIF data that begins at a byte, an int32 scalar."""
    start = directory + 2
    count = number(part(tiff, directory, 2), little_endian=little)
    count = tf.minimum(count, tf.maximum(tf.size(tiff) - start, 0) // _ENTRY)
    entries = tf.reshape(tiff[start : start + count * _ENTRY], (-1, _ENTRY))
    # An entry: tag, type, number of values (4 bytes), value or its place (4 bytes).
    tags = number(entries[:, 0:2], little_endian=little)
    types = number(entries[:, 2:4], little_endian=little)
    is_orientation = tf.logical_and(tags == _ORIENTATION_TAG, types == _TYPE_SHORT)
    values = number(entries[:, 8:10], little_endian=little)
    found = tf.boolean_mask(values, is_orientation)
    return tf.concat([found, [_UPRIGHT]], axis=0)[0]
