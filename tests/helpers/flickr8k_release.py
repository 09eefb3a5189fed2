"""Small archives with the layout of Flickr8k's release."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from captioning.params.datasets import Flickr8kParams

IMAGES = "Flickr8k_Dataset.zip"
TEXT = "Flickr8k_text.zip"


def picture(colour: str) -> bytes:
    """A JPEG file of one color."""
    file = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(file, "JPEG")
    return file.getvalue()


def photographs() -> dict[str, bytes]:
    """Members of the archive of images: five images, a folder, and a file that macOS added."""
    names = {"1_a": "red", "2_b": "green", "3_c": "blue", "4_d": "white", "5_e": "black"}
    return {
        "Flicker8k_Dataset/": b"",
        "__MACOSX/Flicker8k_Dataset/._1_a.jpg": b"added by macOS",
        **{f"Flicker8k_Dataset/{name}.jpg": picture(colour) for name, colour in names.items()},
    }


def texts() -> dict[str, bytes]:
    """Members of the archive of texts, with several kinds of malformed lines."""
    return {
        "Flickr8k.token.txt": (
            "1_a.jpg#0\tA red field .\r\n"
            "1_a.jpg#1\tNothing but\tred .\n"
            "a line without a tab\n"
            "2_b.jpg#0\tGrass .\n"
            "\n"
            "3_c.jpg#zero\tNot a number .\n"
            "3_c.jpg#0\tLe ciel est d'un bleu très pur .\n"
            "3_c.jpg#1\t \n"
            "4_d.jpg#0\tSnow .\n"
            "4_d.jpg.1#0\tNo such image .\n"
        ).encode(),
        "Flickr_8k.trainImages.txt": b"3_c.jpg\r\n1_a.jpg\r\n9_z.jpg\r\n",
        "Flickr_8k.devImages.txt": b"2_b.jpg\n\n",
        "Flickr_8k.testImages.txt": b"4_d.jpg",
        "readme.txt": b"for research use",
    }


def release(folder: Path, images: Mapping[str, bytes], text: Mapping[str, bytes]) -> Flickr8kParams:
    """Write both archives to `folder`; return params that name them."""
    folder.mkdir(exist_ok=True)
    sums = []
    for name, members in ((IMAGES, images), (TEXT, text)):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        sums.append(hashlib.md5((folder / name).read_bytes()).hexdigest())
    return Flickr8kParams(source=str(folder), images_md5=sums[0], captions_md5=sums[1])
