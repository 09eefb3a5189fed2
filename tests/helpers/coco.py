"""Small datasets in the exact formats of COCO 2014 and Karpathy's split files."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

COLOURS = {
    "COCO_train2014_000000000009.jpg": "red",
    "COCO_train2014_000000000025.jpg": "green",
    "COCO_val2014_000000000042.jpg": "blue",
    "COCO_val2014_000000000073.jpg": "white",
    "COCO_val2014_000000000074.jpg": "black",
    "COCO_val2014_000000000133.jpg": "yellow",
    "COCO_val2014_000000000136.jpg": "orange",
}
# In the order of the split file, in which the splits are mixed.
SPLITS = {
    "COCO_val2014_000000000073.jpg": "test",
    "COCO_val2014_000000000042.jpg": "restval",
    "COCO_train2014_000000000025.jpg": "train",
    "COCO_val2014_000000000133.jpg": "val",
    "COCO_train2014_000000000009.jpg": "train",
    "COCO_val2014_000000000136.jpg": "test",
    "COCO_val2014_000000000074.jpg": "val",
}


def picture(colour: str) -> bytes:
    """A JPEG file of one color, with a quality that no code of the project uses."""
    file = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(file, "JPEG", quality=37)
    return file.getvalue()


def folder_of(name: str) -> str:
    """The folder of an image in COCO's archives: `train2014` or `val2014`."""
    return name.split("_")[1]


def pictures() -> dict[str, bytes]:
    """The bytes of all images, by the names of their members in COCO's archives."""
    return {f"{folder_of(name)}/{name}": picture(colour) for name, colour in COLOURS.items()}


def record(name: str, split: str, captions: list[str], number: int, **more: Any) -> dict[str, Any]:
    """The record of one image in a split file.

    Args:
        name: file name of the image.
        split: split in the file.
        captions: captions of the image.
        number: number of the image in the file.
        more: further keys of the record.
    """
    sentences = [
        {
            "tokens": caption.lower().rstrip(".").split(),
            "raw": caption,
            "imgid": number,
            "sentid": 10 * number + k,
        }
        for k, caption in enumerate(captions)
    ]
    return {
        **more,
        "sentids": [sentence["sentid"] for sentence in sentences],
        "filename": name,
        "imgid": number,
        "split": split,
        "sentences": sentences,
    }


def captions_of(name: str) -> list[str]:
    """Two captions of an image; as in COCO, some have extra spaces or accented letters."""
    return [f"A {COLOURS[name]} field.", f" A café painted {COLOURS[name]} "]


def split_file() -> dict[str, Any]:
    """The content of `dataset_coco.json`."""
    images = [
        record(
            name, split, captions_of(name), number, filepath=folder_of(name), cocoid=cocoid(name)
        )
        for number, (name, split) in enumerate(SPLITS.items())
    ]
    return {"images": images, "dataset": "coco"}


def cocoid(name: str) -> int:
    """The number of an image in COCO."""
    return int(Path(name).stem.split("_")[-1])


def zipped(path: Path, members: Mapping[str, bytes]) -> str:
    """Write a zip archive; return its MD5 sum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_release(folder: Path, split: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write caption_datasets.zip, train2014.zip and val2014.zip; return params that name them.

    Args:
        folder: folder of the archives.
        split: content of the split file; `split_file()` by default.
    """
    annotations = {
        "dataset_flickr8k.json": b"{}",
        "dataset_coco.json": json.dumps(split or split_file()).encode(),
    }
    names = ("train2014", "val2014")
    sums = [
        zipped(
            folder / f"{name}.zip",
            {member: data for member, data in pictures().items() if member.startswith(name)},
        )
        for name in names
    ]
    return {
        "annotations": str(folder / "caption_datasets.zip"),
        "annotations_md5": zipped(folder / "caption_datasets.zip", annotations),
        "split_file": "dataset_coco.json",
        "images": [str(folder / f"{name}.zip") for name in names],
        "images_md5": sums,
        "restval": "train",
        "train_images": None,
        "validation_images": None,
        "test_images": None,
    }
