"""Decoding of images of every kind, refusal of other files, and resizing."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioning.core.errors import InputError
from captioning.data.images.decode import ImageError, decode_image, load_pixels

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encode(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def empty_png(width: int, height: int) -> bytes:
    """A PNG whose header declares a size, followed by almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0")), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_rgb_pixels_are_decoded_without_change() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = decode_image(encode(Image.fromarray(pixels)), "a.png")
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_an_image_of_one_pixel_is_accepted() -> None:
    assert decode_image(encode(Image.new("RGB", (1, 1), RED)), "a.png").getpixel((0, 0)) == RED


def test_an_empty_file_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"^a\.png: empty image: the file is empty") as caught:
        decode_image(b"", "a.png")
    assert caught.value.reason == "empty image"
    assert isinstance(caught.value, InputError)


def test_a_file_that_is_not_an_image_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"^page\.jpg: not an image") as caught:
        decode_image(b"<html>404 Not Found</html>", "page.jpg")
    assert caught.value.reason == "not an image"


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "TIFF"])
def test_a_truncated_image_is_refused_by_name(format_: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), format_)
    with pytest.raises(ImageError, match=r"^cut: truncated or corrupt image: ") as caught:
        decode_image(data[: len(data) // 2], "cut")
    assert caught.value.reason == "truncated or corrupt image"


def test_a_corrupt_image_is_refused_by_name() -> None:
    data = bytearray(encode(Image.new("RGB", (64, 64), RED)))
    middle = data.index(b"IDAT") + 8
    data[middle : middle + 8] = b"\xff" * 8
    with pytest.raises(ImageError, match=r"^bad\.png: truncated or corrupt image"):
        decode_image(bytes(data), "bad.png")


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(20_000, 20_000, r"\(400000000 pixels\)"), (9_000, 8_000, "9000x8000 pixels")],
)
def test_a_huge_image_is_refused_and_the_message_states_size_and_limit(
    width: int, height: int, size: str
) -> None:
    pattern = rf"^huge\.png: image too large: .*{size} is more than the limit of 64 megapixels"
    with pytest.raises(ImageError, match=pattern) as caught:
        decode_image(empty_png(width, height), "huge.png")
    assert caught.value.reason == "image too large"


def test_cmyk_is_converted_to_rgb() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    pixel = np.asarray(decode_image(encode(image, "JPEG", quality=95), "a.jpg"))[8, 8]
    assert pixel[0] > 240
    assert pixel[1:].max() < 15


def test_grayscale_is_converted_to_three_equal_channels() -> None:
    image = decode_image(encode(Image.new("L", (2, 2), 77)), "a.png")
    np.testing.assert_array_equal(np.asarray(image), np.full((2, 2, 3), 77))


def test_sixteen_bit_grayscale_is_scaled_and_not_clipped() -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    image = decode_image(encode(Image.fromarray(values)), "a.png")
    np.testing.assert_array_equal(np.asarray(image)[0, :, 0], [0, 1, 128, 255])


def test_floating_point_pixels_are_refused() -> None:
    data = encode(Image.new("F", (2, 2), 0.5), "TIFF")
    with pytest.raises(ImageError, match=r"^a\.tif: .*floating-point pixels have no known range"):
        decode_image(data, "a.tif")


def test_the_first_frame_of_an_animation_is_decoded() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data, "a.gif").getpixel((1, 1)) == RED


def test_the_exif_orientation_is_applied() -> None:
    image = Image.new("RGB", (3, 1), BLUE)
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # Rotate by 90 degrees clockwise: the left end becomes the top.
    turned = decode_image(encode(image, exif=exif), "a.png")
    assert turned.size == (1, 3)
    assert [turned.getpixel((0, y)) for y in range(3)] == [RED, BLUE, BLUE]


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    decoded = decode_image(encode(image, transparency=0), "a.png")
    assert [decoded.getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), BLUE]


def test_a_half_transparent_pixel_is_composited_over_white() -> None:
    pixel = decode_image(encode(Image.new("RGBA", (1, 1), (*RED, 128))), "a.png").getpixel((0, 0))
    assert pixel == (255, 127, 127)


def test_load_pixels_resizes_to_a_square() -> None:
    image = Image.new("RGB", (40, 20), RED)
    image.paste(BLUE, (20, 0, 40, 20))
    pixels = load_pixels(encode(image), 8, "a.png")
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels[:, 0], [RED] * 8)
    np.testing.assert_array_equal(pixels[:, -1], [BLUE] * 8)


def test_load_pixels_resizes_with_antialiasing() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = load_pixels(encode(Image.fromarray(stripes)), 8, "a.png")
    assert np.abs(pixels.astype(int) - 127).max() <= 10
