"""The raw table that the stage writes from published forms of the same data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from own_pictures import picture
from published_forms import NAMES, PICTURES, published
from tar_shards import tar

from captioning.core.splits import SPLITS
from captioning.data.raw_table import read_raw
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.folder import Folder
from captioning.download.write_raw import write_raw
from captioning.params.datasets import FolderParams

TEXTS = {name: ['A "flat" field, seen from above.', f"Field {name}."] for name in NAMES}
GIVEN = dict(zip(NAMES, ("train", "train", "train", "train", "val", "test"), strict=True))


def kaggle(folder: Path) -> None:
    rows = [(name, text) for name, texts in TEXTS.items() for text in texts]
    with open(published(folder, {}, "Images") / "captions.txt", "w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])


def coco(folder: Path) -> None:
    for split, years in (("train", "train2014"), ("val", "val2014"), ("test", "test2014")):
        names = [name for name in NAMES if GIVEN[name] == split]
        images = [{"id": k, "file_name": name} for k, name in enumerate(names)]
        annotations = [
            {"image_id": image["id"], "caption": text}
            for image in images
            for text in TEXTS[image["file_name"]]
        ]
        (folder / years).mkdir(parents=True)
        for name in names:
            (folder / years / name).write_bytes(PICTURES[name])
        text = json.dumps({"images": images, "annotations": annotations})
        (folder / f"captions_{years}.json").write_text(text)


def lavis(folder: Path) -> None:
    for split in ("train", "val", "test"):
        rows = [{"image": n, "caption": TEXTS[n]} for n in NAMES if GIVEN[n] == split]
        published(folder, {f"annotations/x_{split}.json": json.dumps(rows)}, "images")


def open_clip(folder: Path) -> None:
    rows = [(f"images/{n}", text, GIVEN[n]) for n, texts in TEXTS.items() for text in texts]
    with open(published(folder, {}, "images") / "all.csv", "w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([("filepath", "title", "split"), *rows])


def webdataset(folder: Path) -> None:
    folder.mkdir(parents=True)
    for split in ("train", "val", "test"):
        members = [
            member
            for name in NAMES
            if GIVEN[name] == split
            for member in (
                (name, PICTURES[name]),
                (name.replace(".jpg", ".txt"), "\n".join(TEXTS[name]).encode()),
            )
        ]
        (folder / f"{split}-000.tar").write_bytes(tar(members))


@pytest.mark.parametrize("form", [kaggle, coco, lavis, open_clip, webdataset])
def test_every_form_gives_the_same_images_and_captions(tmp_path, form):
    form(tmp_path / "data")
    (tmp_path / "data" / "more.png").write_bytes(picture("black"))
    params = FolderParams(path=str(tmp_path / "data"), seed=1, validation_share=0.1, test_share=0.1)
    rejections = Rejections()
    summary = write_raw(Folder(params), tmp_path / "raw", 2, rejections)
    assert rejections.listed_names() == {"image without captions": ["more.png"]}
    assert summary["images"] == {"train": 4, "validation": 1, "test": 1}
    rows = {
        Path(row["image_id"]).name: (split, row["image"], row["captions"], row["width"])
        for split in SPLITS
        for row in read_raw(tmp_path / "raw", split)
    }
    assert {name: row[1:] for name, row in rows.items()} == {
        name: (PICTURES[name], TEXTS[name], 4) for name in NAMES
    }
    if form is not kaggle:  # It has no splits, so some are chosen.
        known = {"train": "train", "val": "validation", "test": "test"}
        assert {name: row[0] for name, row in rows.items()} == {
            n: known[s] for n, s in GIVEN.items()
        }
