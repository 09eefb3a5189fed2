"""Checking and scaling down what was fetched, in img2dataset's worker processes.

In place of img2dataset's own resizer, which decodes a picture of any size (1.4 GB for a PNG file of
76 kB) and leaves photographs lying on their side, as it drops the EXIF orientation.
"""

from __future__ import annotations

import io
from typing import IO

from PIL import Image

from captioning.data.images import ImageError, decode_image

_NAME = "picture"
# Bytes, width and height as stored; width and height as they came; what is wrong.
Resized = tuple[bytes | None, int | None, int | None, int | None, int | None, str | None]


class Shrinker:
    """Makes any picture a JPEG file, upright, at most `side` pixels along its shorter side.

    Args:
        side: pixels; smaller pictures keep their size.
        quality: of the JPEG encoding, up to 100.
    """

    def __init__(self, side: int, quality: int = 95) -> None:
        self.side = side
        self.quality = quality

    def __call__(self, stream: IO[bytes], boxes: object = None) -> Resized:
        """Called by img2dataset's downloader; a failure is `reason: detail`, nothing is raised."""
        try:
            image = decode_image(stream.read(), _NAME)
            data, size = self._encode(image)
        except ImageError as error:
            return _failed(str(error).removeprefix(f"{_NAME}: "))
        except Exception as error:
            return _failed(f"picture that can't be stored: {error}")
        return data, *size, *image.size, None

    def _encode(self, image: Image.Image) -> tuple[bytes, tuple[int, int]]:
        shorter = min(image.size)
        if shorter > self.side:
            width, height = (max(1, round(n * self.side / shorter)) for n in image.size)
            image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=self.quality)
        return file.getvalue(), image.size


def _failed(failure: str) -> Resized:
    return None, None, None, None, None, failure
