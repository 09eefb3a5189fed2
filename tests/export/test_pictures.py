"""Picture files become the pixels that Pillow gives, or are refused with a reason."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from picture_fuzz import mutations, valid_images
from PIL import Image

from captioning.data.images.decode import ImageError, load_pixels
from captioning.export.pictures import CORRUPT, EMPTY, MANY_SCANS, TOO_LARGE, UNKNOWN, PictureLoader

SIZE = 32
# Channels of each color type of PNG.
GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGB_ALPHA: 4}


class Loaded:
    """The pixels and errors of files."""

    def __init__(self, loader: tf.types.experimental.PolymorphicFunction, files: list[bytes]):
        pictures = loader(tf.constant(files, tf.string))
        self.pixels = pictures.pixels.numpy().astype(int)
        self.errors = [error.decode() for error in pictures.error.numpy()]


@pytest.fixture(scope="module")
def load():
    signature = [tf.TensorSpec((None,), tf.string)]
    loader = tf.function(PictureLoader(SIZE).load, signature, autograph=False)
    return lambda *files: Loaded(loader, list(files))


def _photograph(width: int = 90, height: int = 60) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def _encoded(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def _png(color_type: int, depth: int, more: bytes = b"") -> bytes:
    """A PNG file of noise."""
    width, height = 37, 29
    chance = np.random.default_rng(depth)
    row = (width * CHANNELS[color_type] * depth + 7) // 8
    lines = chance.integers(0, 256, (height, 1 + row), np.uint8)
    lines[:, 0] = 0
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    if color_type == PALETTE:
        more = _chunk(b"PLTE", chance.integers(0, 256, 3 << depth, np.uint8).tobytes()) + more
    data = _chunk(b"IDAT", zlib.compress(lines.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + more + data + _chunk(b"IEND", b"")


def _is_as_pillow(load, file: bytes, tolerance: int = 0) -> None:
    loaded = load(file)
    assert loaded.errors == [""]
    difference = np.abs(loaded.pixels[0] - load_pixels(file, SIZE, "picture"))
    assert difference.max() <= tolerance


JPEG_OPTIONS = [
    {},
    {"subsampling": 0},
    {"subsampling": 1},
    {"subsampling": 2, "quality": 20},
    {"progressive": True},
    {"keep_rgb": True},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", JPEG_OPTIONS, ids=str)
def test_jpeg_files_have_the_pixels_of_pillow(load, options: dict) -> None:
    _is_as_pillow(load, _encoded(_photograph(), "JPEG", **options))
    _is_as_pillow(load, _encoded(_photograph().convert("L"), "JPEG", **options))


def test_jpeg_files_of_four_inks_have_the_pixels_of_pillow_within_one(load) -> None:
    _is_as_pillow(load, _encoded(_photograph().convert("CMYK"), "JPEG", quality=20), tolerance=1)


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(10))
def test_jpeg_files_are_turned_upright(load, orientation: int, byte_order: str) -> None:
    exif = Image.Exif()
    exif.endian = byte_order
    exif[0x010F], exif[0x0112], exif[0x9286] = "a maker of cameras", orientation, "x" * 50
    file = _encoded(_photograph(), "JPEG", exif=exif)
    _is_as_pillow(load, file)
    comment = b"\xff\xfe\x00\x06text"
    _is_as_pillow(load, file[:2] + comment + file[2:])
    if 2 <= orientation <= 8:
        plain = load(_encoded(_photograph(), "JPEG"))
        assert np.abs(plain.pixels - load(file).pixels).max() > 50


@pytest.mark.parametrize("end", [8, 10, 14, 20, 26])
def test_a_damaged_orientation_does_not_matter(load, end: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = exif.tobytes()[:end]
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content
    plain = _encoded(_photograph(), "JPEG")
    loaded = load(plain[:2] + segment + plain[2:], plain)
    assert loaded.errors == ["", ""]
    np.testing.assert_array_equal(loaded.pixels[0], loaded.pixels[1])


PNG_KINDS = [(GRAY, depth) for depth in (1, 2, 4, 8, 16)]
PNG_KINDS += [(PALETTE, depth) for depth in (1, 2, 4, 8)]
PNG_KINDS += [(color_type, depth) for color_type in (2, 4, 6) for depth in (8, 16)]


@pytest.mark.parametrize(("color_type", "depth"), PNG_KINDS)
def test_png_files_have_the_pixels_of_pillow(load, color_type: int, depth: int) -> None:
    _is_as_pillow(load, _png(color_type, depth))


@pytest.mark.parametrize(
    ("color_type", "depth", "transparent"),
    [
        (GRAY, 8, b"\0\x05"),
        (RGB, 8, b"\0\1\0\2\0\3"),
        (PALETTE, 8, bytes(range(256))),
        (PALETTE, 4, bytes(range(0, 256, 16))),
        (PALETTE, 1, b"\0\x80"),
    ],
)
def test_transparent_pixels_of_png_files_are_put_on_white(
    load, color_type: int, depth: int, transparent: bytes
) -> None:
    _is_as_pillow(load, _png(color_type, depth, _chunk(b"tRNS", transparent)))


def test_gif_and_bmp_files_have_the_pixels_of_pillow(load) -> None:
    first, second = _photograph().quantize(32), _photograph().rotate(90).quantize(32)
    _is_as_pillow(load, _encoded(first, "GIF", save_all=True, append_images=[second]))
    _is_as_pillow(load, _encoded(_photograph(), "BMP"))
    _is_as_pillow(load, _encoded(_photograph().convert("RGBA"), "BMP"))


@pytest.mark.parametrize(
    ("form", "name"),
    [("WEBP", "WebP"), ("AVIF", "AVIF"), ("HEIF", "HEIC"), ("TIFF", "TIFF")],
)
def test_formats_that_tensorflow_does_not_decode_are_named(load, form: str, name: str) -> None:
    for error in load(*valid_images(form)).errors:
        assert error == f"a {name} picture: this format is not read, convert it to JPEG or PNG"


def test_a_bmp_file_with_a_palette_is_refused_instead_of_read_in_gray(load) -> None:
    assert load(_encoded(_photograph().quantize(8), "BMP")).errors == [
        "BMP with a palette or compression: convert it to PNG"
    ]


def test_a_picture_that_cannot_be_used_does_not_affect_its_neighbours(load) -> None:
    good = _encoded(_photograph(), "JPEG")
    huge = bytearray(_png(RGB, 8))
    huge[16:24] = struct.pack(">II", 9000, 9000)
    many_scans = good[:-2] + b"\xff\xda" * 101 + good[-2:]
    loaded = load(good, b"", good[: len(good) // 2], b"<html>", bytes(huge), many_scans, good)
    assert loaded.errors == ["", EMPTY, CORRUPT, UNKNOWN, TOO_LARGE, MANY_SCANS, ""]
    assert (loaded.pixels[1:-1] == 0).all()
    expected = load_pixels(good, SIZE, "picture")
    np.testing.assert_array_equal(loaded.pixels[[0, -1]], np.stack([expected, expected]))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP"])
def test_damaged_files_never_raise(load, form: str) -> None:
    files = list(mutations(form, 200))
    errors = load(*files).errors
    assert len(errors) == 200 and 0 < errors.count("") < 200
    for file, error in zip(files, errors, strict=True):
        try:
            load_pixels(file, SIZE, "picture")
        except ImageError:
            # libungif and libpng accept a few files that Pillow refuses, but no JPEG file.
            assert error or form != "JPEG"
