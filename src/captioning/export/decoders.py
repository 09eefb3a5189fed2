"""Decode picture files of each format in TensorFlow's graph, to the pixels that Pillow gives.

Legend: `h`, `w` height and width of a picture, `n` bytes of a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from captioning.data.images.jpeg import MAX_SCANS
from captioning.export.file_bytes import has, number, part
from captioning.export.orientation import jpeg_orientation, turn_upright

_NO_PROBLEM = ""
#: Why a JPEG file may be refused.
MANY_SCANS = f"JPEG of more than {MAX_SCANS} scans: save it again"
_BMP_KIND = "BMP with a palette or compression: convert it to PNG"
_PNG_GRAY = 0


class File(NamedTuple):
    """A picture file, twice.

    Attributes:
        content: string scalar.
        data: its bytes, int32 `[n]`.
    """

    content: tf.Tensor
    data: tf.Tensor


class Format(NamedTuple):
    """A format that is read.

    Attributes:
        size: reads height and width from the header, an int32 pair `[2]`.
        problem: says why a file of the format is refused, a string scalar; empty if it is not.
        decode: decodes a file to upright pixels, uint8 `[h, w, 3]`.
    """

    size: Callable[[File], tf.Tensor]
    problem: Callable[[File], tf.Tensor]
    decode: Callable[[File], tf.Tensor]


def _jpeg_size(file: File) -> tf.Tensor:
    return tf.io.extract_jpeg_shape(file.content)[:2]


def _jpeg_problem(file: File) -> tf.Tensor:
    """Progressive files of thousands of scans would take minutes, see `data.images.jpeg`."""
    marks = tf.logical_and(file.data[:-1] == 0xFF, file.data[1:] == 0xDA)
    scans = tf.reduce_sum(tf.cast(marks, tf.int32))
    return tf.where(scans > MAX_SCANS, MANY_SCANS, _NO_PROBLEM)


def _decode_jpeg(file: File) -> tf.Tensor:
    # Pillow's way to compute the cosine transform; TensorFlow's default is faster and less exact.
    image = tf.io.decode_jpeg(file.content, channels=3, dct_method="INTEGER_ACCURATE")
    return turn_upright(image, jpeg_orientation(file.data))


def _png_size(file: File) -> tf.Tensor:
    width, height = part(file.data, 16, 4), part(file.data, 20, 4)
    return number(tf.stack([height, width]), little_endian=False)


def _decode_png(file: File) -> tf.Tensor:
    """16-bit grayscale is scaled to 8 bits; everything else is composited over white."""
    depth, is_gray = part(file.data, 24, 1)[0], part(file.data, 25, 1)[0] == _PNG_GRAY
    return tf.cond(
        tf.logical_and(is_gray, depth == 16),
        lambda: _decode_deep_gray(file),
        lambda: _decode_over_white(file, depth),
    )


def _decode_deep_gray(file: File) -> tf.Tensor:
    gray = tf.io.decode_png(file.content, channels=1, dtype=tf.uint16)
    return tf.repeat(tf.cast(tf.cast(gray, tf.int32) // 257, tf.uint8), 3, axis=2)


def _decode_over_white(file: File, depth: tf.Tensor) -> tf.Tensor:
    """Composite over white with Pillow's whole numbers: 7 bits of fraction, rounded divisions."""
    image = tf.cast(tf.io.decode_png(file.content, channels=4), tf.int32)
    color, alpha = image[:, :, :3], image[:, :, 3:]
    # To opaque pictures of 1, 2 or 4 bits, TensorFlow adds the largest alpha of so many bits.
    largest = tf.bitwise.left_shift(1, tf.minimum(depth, 8)) - 1
    alpha = tf.where(tf.reduce_all(alpha == largest), 255, alpha)
    mixed = (color * alpha + 255 * (255 - alpha) + 128) * 128
    shifted = tf.bitwise.right_shift(mixed, 8)
    return tf.cast(tf.bitwise.right_shift(shifted + mixed, 8 + 7), tf.uint8)


def _gif_size(file: File) -> tf.Tensor:
    width, height = part(file.data, 6, 2), part(file.data, 8, 2)
    return number(tf.stack([height, width]), little_endian=True)


def _decode_gif(file: File) -> tf.Tensor:
    """The first frame."""
    image = tf.io.decode_image(file.content, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def _bmp_size(file: File) -> tf.Tensor:
    """The height of a file whose rows are stored from the top is negative."""
    width, height = part(file.data, 18, 4), part(file.data, 22, 4)
    return tf.abs(number(tf.stack([height, width]), little_endian=True))


def _bmp_problem(file: File) -> tf.Tensor:
    """TensorFlow would take the numbers of colors in a palette for shades of gray."""
    bits = number(part(file.data, 28, 2), little_endian=True)
    compression = number(part(file.data, 30, 4), little_endian=True)
    is_plain = tf.logical_and(tf.logical_or(bits == 24, bits == 32), compression == 0)
    return tf.where(is_plain, _NO_PROBLEM, _BMP_KIND)


def _decode_bmp(file: File) -> tf.Tensor:
    """Without compression, the fourth byte of a pixel has no meaning."""
    return tf.io.decode_bmp(file.content)[:, :, :3]


def _no_problem(_: File) -> tf.Tensor:
    return tf.constant(_NO_PROBLEM)


#: The formats that are read, by name.
FORMATS = {
    "JPEG": Format(_jpeg_size, _jpeg_problem, _decode_jpeg),
    "PNG": Format(_png_size, _no_problem, _decode_png),
    "GIF": Format(_gif_size, _no_problem, _decode_gif),
    "BMP": Format(_bmp_size, _bmp_problem, _decode_bmp),
}
#: Formats that TensorFlow does not decode, but that people send.
OTHER_FORMATS = ("WebP", "AVIF", "HEIC", "TIFF", "JPEG XL")

_HEIC_BRANDS = ("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1")
_SIGNATURES: dict[str, tuple[tuple[int, bytes], ...]] = {
    "JPEG": ((0, b"\xff\xd8\xff"),),
    "PNG": ((0, b"\x89PNG\r\n\x1a\n"),),
    "GIF": ((0, b"GIF87a"), (0, b"GIF89a")),
    "BMP": ((0, b"BM"),),
    "WebP": ((8, b"WEBP"),),
    "AVIF": ((4, b"ftypavif"), (4, b"ftypavis")),
    "HEIC": tuple((4, f"ftyp{brand}".encode()) for brand in _HEIC_BRANDS),
    "TIFF": ((0, b"II*\0"), (0, b"MM\0*")),
    "JPEG XL": ((0, b"\xff\x0a"), (4, b"JXL ")),
}


def format_number(data: tf.Tensor) -> tf.Tensor:
    """Which of the formats in `FORMATS` and `OTHER_FORMATS` a file has, by its first bytes.

    Args:
        data: the bytes of the file, int32 `[n]`.

    Returns:
        Place in the names of `FORMATS`, then `OTHER_FORMATS`, an int32 scalar; their number if it
        is none of them.
    """
    matches = [
        tf.reduce_any([has(data, place, signature) for place, signature in _SIGNATURES[name]])
        for name in (*FORMATS, *OTHER_FORMATS)
    ]
    return tf.cast(tf.argmax([*matches, True], output_type=tf.int32), tf.int32)
