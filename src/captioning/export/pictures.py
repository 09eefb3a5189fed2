"""Turn picture files into pixels in TensorFlow's graph, and say what is wrong with those that fail.

Legend: `B` pictures, `h`, `w` height and width of a picture, `S` side of the resized picture.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import tensorflow as tf

from captioning.data.images.decode import MAX_MEGAPIXELS
from captioning.export.decoders import (
    FORMATS,
    MANY_SCANS,
    OTHER_FORMATS,
    File,
    Format,
    format_number,
)
from captioning.export.file_bytes import as_bytes
from captioning.export.resize import pillow_begins_with_the_height, resize

__all__ = ["CORRUPT", "EMPTY", "MANY_SCANS", "TOO_LARGE", "UNKNOWN", "PictureLoader", "Pictures"]

CORRUPT = "truncated or corrupt picture"
EMPTY = "empty picture"
UNKNOWN = f"not a picture in a format that is read ({', '.join(FORMATS)})"
TOO_LARGE = f"picture of more than {MAX_MEGAPIXELS} megapixels: scale it down"
OTHER_FORMAT = "a {} picture: this format is not read, convert it to JPEG or PNG"


class Pictures(NamedTuple):
    """Pictures, or one of them without the axis `B`.

    Attributes:
        pixels: uint8 `[B, S, S, 3]`; black if there is a problem.
        error: why a picture cannot be used, string `[B]`; empty if it can.
    """

    pixels: tf.Tensor
    error: tf.Tensor


class PictureLoader:
    """Decodes picture files and resizes them as `data.images.decode.load_pixels` does.

    Args:
        size: side `S` of the resized pictures, in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._tall_ones_down_first = pillow_begins_with_the_height()

    def load(self, files: tf.Tensor) -> Pictures:
        """Decode and resize files, string `[B]`; one that fails does not affect the others."""
        spec = Pictures(
            tf.TensorSpec((self.size, self.size, 3), tf.uint8), tf.TensorSpec((), tf.string)
        )
        return Pictures(*tf.map_fn(self._load_safely, files, fn_output_signature=spec))

    def resize(self, images: tf.Tensor) -> tf.Tensor:
        """Resize pictures uint8 `[B, h, w, 3]` to uint8 `[B, S, S, 3]`."""
        return resize(images, self.size, tall_ones_down_first=self._tall_ones_down_first)

    def _load_safely(self, content: tf.Tensor) -> Pictures:
        """Load a file, string scalar.

        TensorFlow's decoders raise errors, which a graph cannot catch. A data set can leave out the
        elements that raise; here it has one element, and a second for the case that it is left out.
        """
        loaded = tf.data.Dataset.from_tensors(content).map(self._load).ignore_errors()
        failed = tf.data.Dataset.from_tensors(self._failed(CORRUPT))
        return Pictures(*loaded.concatenate(failed).take(1).get_single_element())

    def _load(self, content: tf.Tensor) -> Pictures:
        """Load a file, string scalar; decoders raise errors for damaged ones."""
        file = File(content, as_bytes(content))
        branches = [partial(self._decode, form, file) for form in FORMATS.values()]
        branches += [partial(self._failed, OTHER_FORMAT.format(name)) for name in OTHER_FORMATS]
        unknown = tf.where(tf.size(file.data) == 0, EMPTY, UNKNOWN)
        branches.append(partial(self._failed, unknown))
        return Pictures(*tf.switch_case(format_number(file.data), branches))

    def _decode(self, form: Format, file: File) -> Pictures:
        """Decode a file of a known format, unless it is refused."""
        size = tf.cast(form.size(file), tf.float32)
        is_too_large = size[0] * size[1] > MAX_MEGAPIXELS * 1e6
        problem = tf.where(is_too_large, TOO_LARGE, form.problem(file))
        return Pictures(
            *tf.cond(
                problem == "",
                lambda: Pictures(self.resize(form.decode(file)[None])[0], problem),
                lambda: self._failed(problem),
            )
        )

    def _failed(self, problem: str | tf.Tensor) -> Pictures:
        black = tf.zeros((self.size, self.size, 3), tf.uint8)
        return Pictures(black, tf.convert_to_tensor(problem))
