"""Damaged or oversized metadata do not matter if the pixels are good; what does, is explained."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import product
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioning.data.images.decode import ImageError, decode_image

PIXELS = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
PIXELS[:10, :10] = (255, 0, 0)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(form: str = "PNG", image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def with_chunk(extra: bytes, before: bytes = b"IDAT", image: Image.Image | None = None) -> bytes:
    """A PNG file with a chunk more, just before another one."""
    data = encoded(image=image)
    place = data.index(before) - 4
    return data[:place] + extra + data[place:]


WORKFLOW = b"workflow\0" + b'{"nodes": []}' * 200_000
BOMB = zlib.compress(bytes(3 << 20), 9)
CHUNKS = {
    "a long text": chunk(b"tEXt", WORKFLOW),
    "a long compressed text": chunk(b"zTXt", b"prompt\0\0" + BOMB),
    "a long international text": chunk(b"iTXt", b"prompt\0\1\0\0\0" + BOMB),
    "65 MiB of texts": chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(1 << 20), 9)) * 65,
    "a large color profile": chunk(b"iCCP", b"profile\0\0" + BOMB),
    "a color profile of unknown compression": chunk(b"iCCP", b"profile\0\7" + BOMB),
    "an empty color profile": chunk(b"iCCP", b""),
    "a text with a wrong checksum": chunk(b"tEXt", b"Comment\0hello", 12345),
    "a gamma with a wrong checksum": chunk(b"gAMA", b"\0\0\xb1\x8f", 12345),
    "a gamma that is too short": chunk(b"gAMA", b"\0"),
    "a time with a wrong checksum": chunk(b"tIME", bytes(7), 1),
    "an unknown chunk with a wrong checksum": chunk(b"prVt", b"x", 1),
    "an animation without frames": chunk(b"acTL", bytes(8)),
    "a damaged animation": chunk(b"acTL", b"\0"),
    "a frame of another size": chunk(b"acTL", struct.pack(">II", 2, 0))
    + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9999, 9999, 0, 0, 1, 1, 0, 0)),
}


@pytest.mark.parametrize(("kind", "before"), list(product(CHUNKS, (b"IDAT", b"IEND"))))
def test_pixels_of_a_png_are_used_whatever_stands_beside_them(kind: str, before: bytes) -> None:
    image = decode_image(with_chunk(CHUNKS[kind], before), "a.png")
    np.testing.assert_array_equal(np.asarray(image), PIXELS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_png_is_applied_although_a_text_is_too_long(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = decode_image(encoded(exif=exif), "a.png")
    data = encoded(exif=exif)
    place = data.index(b"IDAT") - 4
    turned = decode_image(data[:place] + CHUNKS["a long text"] + data[place:], "a.png")
    np.testing.assert_array_equal(np.asarray(turned), np.asarray(plain))
    assert turned.size == ((60, 40) if orientation < 5 else (40, 60))


def test_transparency_is_applied_although_a_text_is_too_long() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    data = encoded(image=image, transparency=0)
    place = data.index(b"IDAT") - 4
    decoded = decode_image(data[:place] + CHUNKS["a long text"] + data[place:], "a.png")
    assert [decoded.getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), (0, 0, 255)]


CORNERS = {
    1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "orientation"), list(product(("JPEG", "PNG", "WEBP", "TIFF", "AVIF"), range(1, 9)))
)
def test_images_are_turned_upright_in_every_format(form: str, orientation: int) -> None:
    """The red corner is where the orientation says."""
    picture = Image.new("RGB", (64, 32), "blue")
    picture.paste("red", (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(encoded(form, picture, exif=exif), "a")
    width, height = image.size
    assert (width > height) == (orientation < 5)
    right, low = CORNERS[orientation]
    pixel = image.getpixel((3 + right * (width - 7), 3 + low * (height - 7)))
    assert pixel[0] > 200 and pixel[2] < 60
    other = image.getpixel((3 + (1 - right) * (width - 7), 3 + (1 - low) * (height - 7)))
    assert other[2] > 200


def damaged_exif(orientation: int) -> bytes:
    """EXIF data with an orientation, and a text whose place is outside of the data."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    entries += struct.pack("<HHII", 0x8769, 4, 1, 0x7FFFFFFF)
    entries += struct.pack("<HHII", 0x010F, 2, 500, 0x7FFFFFFF)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 3) + entries + bytes(4)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0garbage", b"Exif\0\0garbage"])
def test_exif_data_that_cannot_be_read_do_not_cost_the_image(form: str, exif: bytes) -> None:
    plain = np.asarray(decode_image(encoded(form), "a"))
    np.testing.assert_array_equal(decode_image(encoded(form, exif=exif), "a"), plain)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_applied_although_other_exif_data_are_damaged(form: str) -> None:
    plain = np.asarray(decode_image(encoded(form), "a"))
    image = decode_image(encoded(form, exif=damaged_exif(6)), "a")
    np.testing.assert_array_equal(image, np.rot90(plain, -1))


def test_a_jpeg_with_a_damaged_color_profile_is_used() -> None:
    image = decode_image(encoded("JPEG", icc_profile=b"no profile" * 10_000), "a.jpg")
    assert image.size == (60, 40)


NOISE = encoded()
BROKEN = {
    "damaged pixels": (NOISE[:2000] + bytes(4000) + NOISE[6000:], "data stream"),
    "cut off": (NOISE[:-1000], "image file is truncated"),
    "header only": (NOISE[:40], "broken PNG file"),
    "no header": (SIGNATURE + chunk(b"IEND", b""), "PNG: "),
    "damaged transparency": (with_chunk(chunk(b"tRNS", bytes(6), 1)), "checksum in b'tRNS'"),
    "JPEG without pixels": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "Truncated File Read"),
    "short BMP": (b"BM" + bytes(10), "BMP: "),
    "GIF without frames": (b"GIF89a" + bytes(20), "GIF: "),
    "TIFF without pages": (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "TIFF: "),
    "WebP without pixels": (b"RIFF\x0c\0\0\0WEBPVP8 \0\0\0\0", ""),
    "AVIF without pixels": (struct.pack(">I", 20) + b"ftypavif\0\0\0\0avif", ""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_the_decoders_own_reason_is_given(kind: str) -> None:
    data, reason = BROKEN[kind]
    with pytest.raises(ImageError, match=r"^a: truncated or corrupt image: ") as caught:
        decode_image(data, "a")
    assert reason in caught.value.detail and "\n" not in str(caught.value)
    assert "does not recognize" not in str(caught.value) and caught.value.detail
