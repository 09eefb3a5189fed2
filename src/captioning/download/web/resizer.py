"""Check and scale down fetched images, in img2dataset's worker processes.

This replaces img2dataset's own resizer, which decodes images of any size (a PNG file of 76 kB can
take 1.4 GB of memory) and drops the EXIF orientation, so that some photographs end up rotated.
"""

from __future__ import annotations

import io
from typing import IO

from PIL import Image

from captioning.data.images.decode import ImageError, decode_image

_NAME = "picture"
# Bytes of the stored image, its width and height, the original width and height, and the failure.
Resized = tuple[bytes | None, int | None, int | None, int | None, int | None, str | None]


class Resizer:
    """Converts any image to an upright JPEG file whose shorter side has at most `side` pixels.

    Args:
        side: largest shorter side, in pixels; smaller images keep their size.
        quality: quality of the JPEG encoding, up to 100.
    """

    def __init__(self, side: int, quality: int = 95) -> None:
        self.side = side
        self.quality = quality

    def __call__(self, stream: IO[bytes], boxes: object = None) -> Resized:
        """Resize one image, as img2dataset's downloader calls it.

        Nothing is raised: a failure is returned as the last element, as `reason: detail`.
        """
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
