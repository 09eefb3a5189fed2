"""Damage valid images in every allowed format, and read what comes of it.

    python tests/helpers/picture_fuzz.py FORMAT COUNT FOLDER

decodes `COUNT` mutations of images in a format and lets the stage `download` read them from
`FOLDER`. The process ends with a traceback if an error other than `ImageError` is raised, if an
image takes longer than `SECONDS`, or if something is written outside of `FOLDER` or a program is
started.
"""

from __future__ import annotations

import faulthandler
import io
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from captioning.data.images.decode import ImageError, decode_image, load_pixels
from captioning.data.raw_table import read_raw
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.folder import Folder
from captioning.download.write_raw import write_raw
from captioning.params.datasets import FolderParams

SECONDS = 20
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def valid_images(form: str) -> list[bytes]:
    """Images in a format, of several color modes and with several of its options."""
    if form == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    pixels = np.random.default_rng(1).integers(0, 256, (24, 36, 4), dtype=np.uint8)
    colors, clear = Image.fromarray(pixels[:, :, :3]), Image.fromarray(pixels)
    gray, palette = colors.convert("L"), colors.quantize(32)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    marked: dict[str, Any] = {"exif": exif, "icc_profile": bytes(400)}
    more = {"save_all": True, "append_images": [gray.convert("RGB"), colors.rotate(90)]}
    deep = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    kinds: dict[str, list[tuple[Image.Image, dict[str, Any]]]] = {
        "AVIF": [(colors, marked), (clear, {}), (colors, more)],
        "BMP": [(colors, {}), (gray, {}), (palette, {}), (clear, {}), (gray.convert("1"), {})],
        "GIF": [(palette, {}), (palette, {"transparency": 3, "comment": b"x" * 300}), (gray, more)],
        "HEIF": [(colors, {"exif": exif}), (clear, {}), (gray, {"quality": 20})],
        "JPEG": [
            (colors, marked),
            (gray, {"progressive": True}),
            (colors.convert("CMYK"), {"quality": 95, "comment": b"a comment"}),
        ],
        "MPO": [(colors, more | {"exif": exif})],
        "PNG": [
            (colors, marked),
            (clear, {}),
            (palette, {"transparency": 3}),
            (deep, {}),
            (gray.convert("1"), {}),
            (colors, more),
        ],
        "TIFF": [
            *((colors, {"compression": name} | marked) for name in ("raw", "tiff_lzw", "jpeg")),
            (deep, {"compression": "tiff_adobe_deflate"}),
            (gray.convert("1"), {"compression": "group4"}),
            (clear, more),
        ],
        "WEBP": [(colors, marked), (clear, {"lossless": True}), (colors, more)],
    }
    return [_encoded(image, form, options) for image, options in kinds[form]]


def _encoded(image: Image.Image, form: str, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def mutations(form: str, count: int) -> Iterator[bytes]:
    """Damaged images; the same arguments give the same bytes."""
    originals = valid_images(form)
    for number in range(count):
        chance = random.Random(f"{form} {number}")
        data = bytearray(chance.choice(originals))
        for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
            _damage(data, chance)
        yield bytes(data)


def _damage(data: bytearray, chance: random.Random) -> None:
    """Change an image in place, most often near its beginning, where its header is."""
    size = len(data)
    place = min(int(size * chance.random() ** chance.choice((1, 2, 4))), max(size - 1, 0))
    length = chance.choice((1, 2, 4, 16, 64, 1000))
    kind = chance.randrange(8)
    if kind == 0:
        data[place : place + 1] = bytes([chance.randrange(256)])
    elif kind == 1:
        data[place : place + 1] = bytes([data[place] ^ (1 << chance.randrange(8))] if size else [])
    elif kind == 2:
        number = chance.choice(_EXTREMES)
        width = 1 if number < 256 else 2 if number < 65536 else 4
        data[place : place + width] = number.to_bytes(width, chance.choice(("big", "little")))
    elif kind == 3:
        del data[place:]
    elif kind == 4:
        del data[place : place + length]
    elif kind == 5:
        data[place:place] = bytes(chance.randrange(256) for _ in range(length))
    elif kind == 6:
        other = chance.randrange(size + 1)
        data[place : place + length] = data[other : other + length]
    else:
        data += data[place : place + length]


def forbid_all_but(folder: Path) -> None:
    """End the process if it writes outside of a folder, starts a program or opens a connection."""
    permitted = f"{folder.resolve()}{os.sep}"

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = (mode and set(mode) & set("wax+")) or (flags or 0) & (
                os.O_WRONLY | os.O_RDWR | os.O_CREAT
            )
            if not writes or isinstance(path, int):
                return
            if str(Path(os.fsdecode(path)).resolve()).startswith(permitted):
                return
        elif event not in ("subprocess.Popen", "os.system", "os.exec", "os.fork", "socket.connect"):
            return
        print(f"forbidden: {event} {arguments}", file=sys.stderr, flush=True)
        os._exit(3)

    sys.addaudithook(check)


def main(form: str, count: int, folder: Path) -> None:
    """Read mutations of images in one format; print how many could be used."""
    forbid_all_but(folder)
    pictures = folder / "pictures"
    for split in ("train", "validation", "test"):
        (pictures / split).mkdir(parents=True)
        (pictures / split / "good.png").write_bytes(_encoded(_plain(split), "PNG", {}))
        (pictures / split / "good.txt").write_text("a caption")
    outcomes: Counter[str] = Counter()
    for number, data in enumerate(mutations(form, count)):
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        (pictures / "train" / f"{number}.png").write_bytes(data)
        (pictures / "train" / f"{number}.txt").write_text("a caption")
        try:
            image = decode_image(data, "picture")
            assert image.mode == "RGB" and image.width * image.height <= 64_000_000
            assert load_pixels(data, 32, "picture").shape == (32, 32, 3)
            outcomes["used"] += 1
        except ImageError as error:
            assert str(error).startswith(f"picture: {error.reason}: "), str(error)
            assert error.detail and "\n" not in str(error), str(error)
            outcomes[error.reason] += 1
    faulthandler.cancel_dump_traceback_later()
    params = FolderParams(path=str(pictures), seed=1, validation_share=0.1, test_share=0.1)
    summary = write_raw(Folder(params), folder / "raw", 1, Rejections())
    for row in read_raw(folder / "raw", "train"):
        load_pixels(row["image"], 32, row["image_id"])
    for reason, number in summary["rejected"].items():
        assert number <= outcomes[reason] or reason.startswith("same picture"), summary["rejected"]
    print(dict(outcomes))


def _plain(name: str) -> Image.Image:
    """An image of one color for each split, so that none is a copy of another."""
    return Image.new("RGB", (4, 4), (len(name), 0, 0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
