"""Images in every form in which the library accepts them, as strictly as those of data sets.

Legend: `B` images, `S` side of a resized image in pixels; 3 color channels: red, green, blue.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from captioning.core.errors import InputError
from captioning.data.images.decode import decode_image, resize, to_rgb
from captioning.data.local_file import read_image_file

#: A path, the bytes of an image file, a Pillow image, or pixels uint8 `[h, w, 3]` or `[h, w]`.
AnyImage: TypeAlias = "str | Path | bytes | Image.Image | NDArray[np.uint8]"


def is_single(images: AnyImage | Sequence[AnyImage]) -> TypeGuard[AnyImage]:
    """Whether this is one image, not several: a list, a tuple, or an array uint8 `[B, h, w, 3]`."""
    return not (isinstance(images, Sequence) and not isinstance(images, str | bytes)) and not (
        isinstance(images, np.ndarray) and images.ndim == 4
    )


def as_list(images: AnyImage | Sequence[AnyImage]) -> Sequence[AnyImage]:
    """Several images unchanged, and a single one as a list of one."""
    return [images] if is_single(images) else images  # type: ignore


def square_pixels(images: Sequence[AnyImage], size: int) -> NDArray[np.uint8]:
    """Decode images and resize them to squares, uint8 `[B, S, S, 3]`, as those of data sets.

    Raises:
        InputError: a file cannot be read, data is not an image, or an array has another shape or
            type. The message names the path, or the image's number among several.
    """
    pixels = np.empty((len(images), size, size, 3), np.uint8)
    for number, image in enumerate(images, start=1):
        name = "the image" if len(images) == 1 else f"image {number} of {len(images)}"
        pixels[number - 1] = resize(rgb_image(image, name), size)
    return pixels


def rgb_image(image: AnyImage, name: str = "the image") -> Image.Image:
    """Decode an image into upright 8-bit RGB, see `data.images.decode.decode_image`.

    Args:
        image: an image in any form.
        name: name in error messages, unless it is a path.

    Raises:
        InputError: see `square_pixels`.
    """
    if isinstance(image, str | Path):
        return decode_image(read_image_file(image), str(image))
    if isinstance(image, bytes | bytearray | memoryview):
        return decode_image(bytes(image), name)
    if isinstance(image, Image.Image):
        return to_rgb(image, name)
    if isinstance(image, np.ndarray):
        return Image.fromarray(_checked(image, name)).convert("RGB")
    raise InputError(
        f"{name} is of type {type(image).__name__}: give a path, the bytes of an image file, a "
        "Pillow image, or an array of pixels"
    )


def _checked(pixels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Check an array of pixels.

    Raises:
        InputError: it is not uint8 `[h, w, 3]` or `[h, w]`, or it is empty.
    """
    is_image = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not is_image or 0 in pixels.shape:
        raise InputError(
            f"{name} is an array {pixels.dtype} {list(pixels.shape)}: pixels must be uint8, "
            "[height, width, 3] or [height, width]"
        )
    return pixels
