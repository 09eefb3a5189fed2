"""The image formats that are read, and what is said of files in other formats.

Pillow opens every format that it knows, by the file's content and whatever its name. One of its
plugins starts Ghostscript on PostScript files, which are programs; others are old and hardly
tested. So images from strangers are opened with the plugins in `FORMATS` only.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from functools import cache

from PIL import Image, UnidentifiedImageError

from captioning.data.images.jpeg import MAX_SCANS, has_too_many_scans

#: Formats that are read, by Pillow's names, with their file name suffixes in lower case. Pillow's
#: JPEG plugin also reads MPO, the first picture of it, as some cameras write it.
FORMATS = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpeg", ".jpg"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
#: Read if the package pillow-heif is installed.
HEIF, HEIF_SUFFIXES = "HEIF", (".heic", ".heif")
#: Suffixes by which images are recognized when a folder is searched.
IMAGE_SUFFIXES = frozenset((*HEIF_SUFFIXES, *(s for group in FORMATS.values() for s in group)))

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
# What files begin with that are often taken for images: other formats, and what is none.
_OTHER_FORMATS = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"%PDF", "PDF"),
    (b"<svg", "SVG"),
)
_NO_IMAGES = (
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"version https://git-lfs", "a pointer of Git LFS (run `git lfs pull`)"),
)
# Pillow's tests for these formats accept other files, too, such as TGA.
_VAGUE = ("CUR", "DIB")


class FormatError(Exception):
    """Data that is no image of a format that is read.

    Args:
        reason: kind of problem, by which rejected images are counted.
        detail: what the data is instead, or why it cannot be opened.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def open_image(data: bytes) -> Image.Image:
    """Open an encoded image: read its header, but not its pixels.

    Raises:
        FormatError: the data is no image, its format is not read, or its header is damaged.
        Exception: Pillow's plugins raise exceptions of almost any type on corrupt data.
    """
    if has_too_many_scans(data):
        raise FormatError(
            "image that takes too long to decode",
            f"a JPEG of more than {MAX_SCANS} scans: save it again",
        )
    formats = list(FORMATS)
    if _is_heif(data):
        if not _heif_is_installed():
            raise FormatError(
                "image format that is not read",
                "it is HEIC: convert it to JPEG, or run `pip install -e '.[heic]'`",
            )
        formats = [HEIF]
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise _explained(data, formats) from None


def _explained(data: bytes, formats: Sequence[str]) -> FormatError:
    """Why none of Pillow's plugins for these formats opened the data."""
    for name in formats:
        factory, _ = Image.OPEN[name]
        accepted = _accepted(name, data)
        if isinstance(accepted, str):  # Pillow was built without this format.
            return FormatError("image format that is not read", accepted)
        if accepted:
            try:
                factory(io.BytesIO(data), "")
            except Exception as error:
                return FormatError("truncated or corrupt image", f"{name}: {explanation(error)}")
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, what in _NO_IMAGES:
        if start.startswith(signature):
            return FormatError("not an image", f"it is {what}")
    if other := _other_format(data):
        known = ", ".join(FORMATS)
        detail = f"it looks like {other}: convert it to one of {known}"
        return FormatError("image format that is not read", detail)
    return FormatError("not an image", "its beginning is not that of any known image format")


def explanation(error: Exception) -> str:
    """A decoder's own reason for refusing an image, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _other_format(data: bytes) -> str | None:
    """Name of an image format that is not read, by the first bytes of the data alone."""
    for signature, name in _OTHER_FORMATS:
        if data.startswith(signature) or (name == "SVG" and b"<svg" in data[:1024]):
            return name
    Image.init()
    for name in list(Image.OPEN):  # Another thread may be loading plugins.
        if name == "PPM" and not data[2:3].isspace():  # Its own test accepts any text with `Py`.
            continue
        if name not in (*FORMATS, HEIF, *_VAGUE) and _accepted(name, data) is True:
            return name
    return None


def _accepted(name: str, data: bytes) -> bool | str:
    """Whether a file begins like a format, by the test of Pillow's plugin for it.

    A text says that the plugin is there, but not the library that it needs.
    """
    _, accept = Image.OPEN[name]
    try:
        return accept is not None and accept(data[:16])
    except (IndexError, TypeError, struct.error):  # The data is too short for it.
        return False


def _is_heif(data: bytes) -> bool:
    """Whether the data is in the format HEIF with the codec HEVC, as telephones write it."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), 256)
    return any(data[place : place + 4] in _HEIF_BRANDS for place in range(8, end, 4))


@cache
def _heif_is_installed() -> bool:
    """Register the plugin of pillow-heif with Pillow, if there is one."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True
