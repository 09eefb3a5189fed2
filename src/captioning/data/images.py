"""Decoding and checking images, without TensorFlow.

Shapes: `S` the side asked for, in pixels; 3 the channels red, green, blue.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from captioning.core.errors import InputError

MAX_MEGAPIXELS = 64
#: Suffixes, in lower case, of files that are taken for images where a folder is searched.
IMAGE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)


class ImageError(InputError):
    """An image that can't be used. `reason` is the kind of fault, the message names the image."""

    def __init__(self, name: str, reason: str, detail: str) -> None:
        super().__init__(f"{name}: {reason}: {detail}")
        self.reason = reason


def decode_image(data: bytes, name: str) -> Image.Image:
    """Decode an encoded image into upright 8-bit RGB.

    EXIF orientation is applied, transparency is laid over white, 16-bit greys are scaled to 8,
    of an animation the first frame is taken.

    Args:
        data: an image file's bytes, of any format that Pillow reads.
        name: how errors call it.

    Raises:
        ImageError: the data is empty, no image, truncated or corrupt, or of more than
            `MAX_MEGAPIXELS`, which is found from the header, before any pixel is decoded.
    """
    if not data:
        raise ImageError(name, "empty image", "it has no byte")
    image = _open(data, name)
    try:
        # Pillow's plugins meet corrupt data with exceptions of almost any type.
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:
        raise ImageError(name, "truncated or corrupt image", str(error)) from error


def load_pixels(data: bytes, size: int, name: str) -> NDArray[np.uint8]:
    """Decode an image and scale it to a square, not keeping its aspect ratio.

    The scaling is bilinear with antialiasing; the tutorial's `load_image` resizes to a square too.

    Returns:
        uint8 `[S, S, 3]`.

    Raises:
        ImageError: as `decode_image`.
    """
    return resize(decode_image(data, name), size)


def resize(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Scale an RGB image to a square, uint8 `[S, S, 3]`, as `load_pixels` does."""
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)


def _open(data: bytes, name: str) -> Image.Image:
    """Read the header and check the size it states."""
    too_large = f"more than the limit of {MAX_MEGAPIXELS} megapixels: scale it down"
    try:
        image = Image.open(io.BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow refuses the hugest sizes itself: "Image size (400000000 pixels) exceeds …".
        size = str(error).partition(" exceeds")[0]
        raise ImageError(name, "image too large", f"{size} is {too_large}") from None
    except Exception as error:
        detail = "its bytes are of no image format known to Pillow"
        raise ImageError(name, "not an image", detail) from error
    width, height = image.size
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise ImageError(name, "image too large", f"{width}x{height} pixels is {too_large}")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any of Pillow's modes to RGB."""
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range: save it with 8 bits a channel")
    if image.mode.startswith("I"):
        # Pillow's own conversion of 16-bit greys clips at 255 instead of scaling.
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
