"""Pictures of requests: fetched if they are URLs, decoded as strictly as those of data sets.

Legend: `S` side of a resized picture in pixels; 3 color channels: red, green, blue.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from captioning.data.images.decode import ImageError, decode_image, resize
from captioning.data.images.formats import open_image
from captioning.download.web.failure_reasons import FetchError
from captioning.download.web.limited_urlopen import read_url
from captioning.download.web.settings import Limits as WebLimits
from captioning.serving.errors import RequestError
from captioning.serving.limits import Limits

ResultT = TypeVar("ResultT")

_URL_THREADS = 8
# Codes for the reasons of `ImageError`.
_CODES = {
    "empty image": "empty_image",
    "not an image": "not_an_image",
    "image format that is not read": "unsupported_format",
    "image too large": "picture_too_large",
    "image that takes too long to decode": "picture_too_complex",
    "truncated or corrupt image": "damaged_image",
}


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded picture.

    Args:
        pixels: resized to a square, uint8 `[S, S, 3]`.
        width, height: of the upright picture before, in pixels.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int


class Pictures:
    """Fetches and decodes pictures in threads, beside the event loop and the model.

    Args:
        size: side `S` of resized pictures, in pixels.
        limits: limits of the server.
        allow_urls: whether pictures may be given as URLs.
        threads: number of pictures that are decoded side by side.
    """

    def __init__(self, size: int, limits: Limits, allow_urls: bool, threads: int) -> None:
        self._size = size
        self._limits = limits
        self._allow_urls = allow_urls
        self._decoding = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._fetching = ThreadPoolExecutor(_URL_THREADS, thread_name_prefix="fetch")

    async def fetched(self, url: str) -> bytes:
        """The bytes behind a URL; only public addresses are asked, redirects included.

        Raises:
            RequestError: URLs are not allowed, or it cannot be read.
        """
        if not self._allow_urls:
            raise RequestError(
                "urls_not_allowed",
                "this server fetches no URLs: send the picture itself, or start the server with "
                "--allow-urls",
            )
        limits = WebLimits(self._limits.url_seconds, self._limits.image_bytes)
        return await _run(self._fetching, _read, url, limits)

    async def decoded(self, picture: bytes | str) -> Decoded:
        """Decode and resize a picture.

        Args:
            picture: bytes of an image file, or the same in Base64.

        Raises:
            RequestError: it is no picture, or too large.
        """
        return await _run(self._decoding, self._decode, picture)

    async def run(self, function: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """Call a function in the threads that decode, such as one that parses a large body."""
        return await _run(self._decoding, function, *arguments)

    def close(self) -> None:
        """End the threads; what they are doing is finished."""
        self._decoding.shutdown(wait=False, cancel_futures=True)
        self._fetching.shutdown(wait=False, cancel_futures=True)

    def _decode(self, picture: bytes | str) -> Decoded:
        data = _from_base64(picture) if isinstance(picture, str) else picture
        if len(data) > self._limits.image_bytes:
            raise RequestError(
                "picture_too_large",
                f"the picture has {len(data):,} bytes, more than the limit of "
                f"{self._limits.image_bytes:,}: scale it down",
            )
        try:
            self._check_pixels(data)
            image = decode_image(data, "picture")
        except ImageError as error:
            code = _CODES.get(error.reason, "damaged_image")
            raise RequestError(code, f"{error.reason}: {error.detail}") from None
        return Decoded(resize(image, self._size), *image.size)

    def _check_pixels(self, data: bytes) -> None:
        """Refuse a picture that has more pixels than this server accepts, by its header."""
        try:
            width, height = open_image(data).size
        except Exception:  # Decoding says what is wrong.
            return
        if width * height > self._limits.megapixels * 1_000_000:
            raise RequestError(
                "picture_too_large",
                f"{width}x{height} pixels is more than the limit of {self._limits.megapixels} "
                "megapixels: scale it down",
            )


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(
            "not_base64", "base64 is not valid Base64: use letters, digits, + and /, padded with ="
        ) from None


def _read(url: str, limits: WebLimits) -> bytes:
    try:
        return read_url(url, limits)
    except FetchError as error:
        # The details may tell of this machine's network.
        reason = str(error).partition(":")[0]
        raise RequestError("url_failed", f"the URL cannot be read: {reason}") from None


async def _run(
    pool: ThreadPoolExecutor, function: Callable[..., ResultT], *arguments: Any
) -> ResultT:
    return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
