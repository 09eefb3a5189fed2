"""Only the listed image formats are opened; files in other formats are refused by name."""

from __future__ import annotations

import ast
import io
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imports import ROOT
from PIL import Image

from captioning.data.images import formats as image_formats
from captioning.data.images.decode import ImageError, decode_image
from captioning.data.images.formats import FORMATS, IMAGE_SUFFIXES
from captioning.data.images.jpeg import MAX_SCANS

NOT_READ = "image format that is not read"
POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
(written) (w) file closefile
showpage
"""
HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(200)


def encoded(form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", [*FORMATS, "MPO"])
def test_every_listed_format_is_read(form: str) -> None:
    pixel = decode_image(encoded(form), "picture").getpixel((8, 6))
    assert pixel[0] > 245 and max(pixel[1:]) < 10


def test_postscript_is_refused_and_no_program_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ghostscript, as Pillow's plugin for EPS would find it.
    program, started = tmp_path / "gs", tmp_path / "started"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    dos = b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, len(POSTSCRIPT)) + bytes(20) + POSTSCRIPT
    for data in (POSTSCRIPT, dos, b"\x89PNG\r\n\x1a\n" + POSTSCRIPT):
        with pytest.raises(ImageError) as caught:
            decode_image(data, "photo.jpg")
        assert not started.exists()
    for data in (POSTSCRIPT, dos):
        with pytest.raises(ImageError, match=r"^photo\.jpg: .* looks like EPS: convert") as caught:
            decode_image(data, "photo.jpg")
        assert caught.value.reason == NOT_READ


@pytest.mark.parametrize("form", ["ICO", "JPEG2000", "PCX", "PPM", "TGA", "ICNS", "QOI", "DDS"])
def test_other_formats_of_pillow_are_refused_even_under_another_name(form: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(encoded(form), "photo.png")
    # TGA files do not begin with anything that is theirs.
    assert caught.value.reason == ("not an image" if form == "TGA" else NOT_READ)
    assert form == "TGA" or f"it looks like {form}: convert it to one of AVIF, BMP" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (b"%PDF-1.7\n", NOT_READ, "it looks like PDF"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", NOT_READ, "it looks like SVG"),
        (b"\xff\x0a" + bytes(20), NOT_READ, "it looks like JPEG XL"),
        (b"\xef\xbb\xbf <!DOCTYPE html>\n<html>", "not an image", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not an image", "run `git lfs pull`"),
        (b"Python is a language", "not an image", "not that of any known image format"),
        (b"x", "not an image", "not that of any known image format"),
    ],
)
def test_other_files_are_named(data: bytes, reason: str, detail: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode_image(data, "photo.jpg")
    assert caught.value.reason == reason
    assert detail in caught.value.detail and "\n" not in str(caught.value)


def test_heic_says_how_to_read_it_if_its_package_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    image_formats._heif_is_installed.cache_clear()
    with pytest.raises(ImageError, match=r"it is HEIC: convert it to JPEG, or run `pip install"):
        decode_image(HEIC, "IMG_0012.HEIC")
    image_formats._heif_is_installed.cache_clear()


def test_heic_is_read_if_its_package_is_installed() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(file)
    image = decode_image(file.getvalue(), "IMG_0012.HEIC")
    assert image.size == (64, 48)
    np.testing.assert_allclose(image.getpixel((30, 20)), (255, 0, 0), atol=4)
    with pytest.raises(ImageError, match="truncated or corrupt image"):
        decode_image(file.getvalue()[:-100], "IMG_0013.HEIC")


def progressive(scans: int, side: int = 64, rest: bytes = b"") -> bytes:
    """A JPEG file whose last scan is repeated until there are so many."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    file = io.BytesIO()
    # 0xff 0xda in the metadata and after the picture are no scans.
    Image.fromarray(noise).save(file, "JPEG", progressive=True, comment=b"\xff\xda" * 200)
    data = file.getvalue()
    first, end = data.index(b"\xff\xda", data.index(b"\xff\xc2")), data.rindex(b"\xff\xd9")
    last = data.rindex(b"\xff\xda", first)
    more = scans - data.count(b"\xff\xda", first)
    return data[:end] + data[last:end] * more + data[end:] + rest


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded() -> None:
    video = b"\xff\xda" * 10_000
    assert decode_image(progressive(MAX_SCANS, rest=video), "a.jpg").size == (64, 64)
    with pytest.raises(ImageError, match="takes too long to decode: a JPEG of more than 100"):
        decode_image(progressive(MAX_SCANS + 1), "a.jpg")
    started = time.monotonic()
    with pytest.raises(ImageError, match="takes too long to decode"):
        decode_image(progressive(100_000), "a.jpg")
    assert time.monotonic() - started < 2


def test_the_suffixes_are_those_of_the_formats() -> None:
    assert {".jpg", ".jpeg", ".png", ".heic", ".webp"} <= IMAGE_SUFFIXES
    for form, suffixes in FORMATS.items():
        assert {Image.registered_extensions()[suffix] for suffix in suffixes} == {form}


def test_no_other_module_opens_images() -> None:
    """`Image.open` is called in one place, with the formats that it may open."""
    opening = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Image.open"):
                opening.append((path.name, [keyword.arg for keyword in node.keywords]))
    assert opening == [("formats.py", ["formats"])]
