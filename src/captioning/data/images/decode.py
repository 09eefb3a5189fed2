"""Decode, check and resize images with Pillow, without TensorFlow.

Legend: `S` side of the resized image in pixels; 3 color channels: red, green, blue.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from captioning.core.errors import InputError
from captioning.data.images.formats import IMAGE_SUFFIXES, FormatError, explanation, open_image
from captioning.data.images.png import SIGNATURE as PNG_SIGNATURE
from captioning.data.images.png import without_metadata

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_MEGAPIXELS",
    "ImageError",
    "decode_image",
    "load_pixels",
    "resize",
    "to_rgb",
]

MAX_MEGAPIXELS = 64
_CORRUPT = "truncated or corrupt image"
# How to turn an image upright, by its EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow warns of metadata that it cannot read, and of images that are larger than our own limit.
warnings.filterwarnings("ignore", module=r"PIL\.")


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
        self.detail = detail


def decode_image(data: bytes, name: str) -> Image.Image:
    """Decode an encoded image into upright 8-bit RGB.

    The EXIF orientation is applied, transparent pixels are composited over white, and 16-bit
    grayscale is scaled to 8 bits. Of an animation, the first frame is decoded. Damaged or oversized
    metadata do not matter as long as the pixels can be decoded.

    Args:
        data: bytes of an image file, in one of the formats in `image_formats`.
        name: name of the image in error messages.

    Raises:
        ImageError: the data is empty, not an image, in another format, truncated, corrupt, or
            larger than `MAX_MEGAPIXELS`. The size is read from the header, before any pixel is
            decoded. The message gives the decoder's own reason.
    """
    if not data:
        raise ImageError(name, "empty image", "the file is empty")
    try:
        return _decode(lambda: open_image(data), name)
    except ImageError as error:
        if error.reason != _CORRUPT or not data.startswith(PNG_SIGNATURE):
            raise
    return _decode(lambda: open_image(without_metadata(data)), name)


def to_rgb(image: Image.Image, name: str) -> Image.Image:
    """Convert a Pillow image, decoded or not, into upright 8-bit RGB, see `decode_image`.

    Raises:
        ImageError: it is empty, cannot be decoded, or is larger than `MAX_MEGAPIXELS`.
    """
    if 0 in image.size:
        raise ImageError(name, "empty image", "it has no pixels")
    return _decode(lambda: image, name)


def _decode(opened: Callable[[], Image.Image], name: str) -> Image.Image:
    """Decode the image that `opened` returns."""
    try:
        image = opened()
        width, height = image.size
        if width * height > MAX_MEGAPIXELS * 1_000_000:
            raise _too_large(name, f"{width}x{height} pixels")
        image.load()
        return _to_rgb(_upright(image))
    except ImageError:
        raise
    except FormatError as error:
        raise ImageError(name, error.reason, str(error)) from None
    except Image.DecompressionBombError as error:
        # Pillow itself refuses very large images: "Image size (400000000 pixels) exceeds …".
        raise _too_large(name, str(error).partition(" exceeds")[0]) from None
    except Exception as error:
        raise ImageError(name, _CORRUPT, explanation(error)) from error


def _too_large(name: str, size: str) -> ImageError:
    limit = f"more than the limit of {MAX_MEGAPIXELS} megapixels: scale it down"
    return ImageError(name, "image too large", f"{size} is {limit}")


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; without one, or if it cannot be read, the image stays as it is.

    Pillow's `exif_transpose` writes the other EXIF data again, and fails if any of them are
    damaged.
    """
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        turn = None
    return image if turn is None else image.transpose(turn)


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
