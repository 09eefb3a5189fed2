"""Decode, check and resize images with Pillow, without TensorFlow.

Legend: `S` side of the resized image in pixels; 3 color channels: red, green, blue.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from captioning.core.errors import InputError

MAX_MEGAPIXELS = 64
#: File name suffixes, in lower case, by which images are recognized when a folder is searched.
IMAGE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)


class ImageError(InputError):
    """An image that cannot be used.

    Args:
        name: name of the image in the message.
        reason: kind of problem, by which rejected images are counted.
        detail: what exactly is wrong.
    """

    def __init__(self, name: str, reason: str, detail: str) -> None:
        super().__init__(f"{name}: {reason}: {detail}")
        self.reason = reason


def decode_image(data: bytes, name: str) -> Image.Image:
    """Decode an encoded image into upright 8-bit RGB.

    The EXIF orientation is applied, transparent pixels are composited over white, and 16-bit
    grayscale is scaled to 8 bits. Of an animation, the first frame is decoded.

    Args:
        data: bytes of an image file, in any format that Pillow reads.
        name: name of the image in error messages.

    Raises:
        ImageError: the data is empty, not an image, truncated, corrupt, or larger than
            `MAX_MEGAPIXELS`. The size is read from the header, before any pixel is decoded.
    """
    if not data:
        raise ImageError(name, "empty image", "the file is empty")
    image = _open(data, name)
    try:
        # Pillow's plugins raise exceptions of almost any type on corrupt data.
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:
        raise ImageError(name, "truncated or corrupt image", str(error)) from error


def load_pixels(data: bytes, size: int, name: str) -> NDArray[np.uint8]:
    """Decode an image and resize it to a square; the aspect ratio is not kept.

    The resizing is bilinear with antialiasing. The TensorFlow tutorial's `load_image` resizes to a
    square as well.

    Returns:
        uint8 `[S, S, 3]`.

    Raises:
        ImageError: see `decode_image`.
    """
    return resize(decode_image(data, name), size)


def resize(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize an RGB image to a square, uint8 `[S, S, 3]`; see `load_pixels`."""
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)


def _open(data: bytes, name: str) -> Image.Image:
    """Read the header of an image and check its size."""
    too_large = f"more than the limit of {MAX_MEGAPIXELS} megapixels: scale it down"
    try:
        image = Image.open(io.BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow itself refuses very large images: "Image size (400000000 pixels) exceeds …".
        size = str(error).partition(" exceeds")[0]
        raise ImageError(name, "image too large", f"{size} is {too_large}") from None
    except Exception as error:
        detail = "Pillow does not recognize the file format"
        raise ImageError(name, "not an image", detail) from error
    width, height = image.size
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise ImageError(name, "image too large", f"{width}x{height} pixels is {too_large}")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any Pillow mode to RGB."""
    if image.mode == "F":
        raise ValueError(
            "floating-point pixels have no known range: save it with 8 bits per channel"
        )
    if image.mode.startswith("I"):
        # Pillow's own conversion of 16-bit grayscale clips at 255 instead of scaling.
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
