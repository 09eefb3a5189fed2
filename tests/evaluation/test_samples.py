"""Pictures of sample captions have names that are safe in every place, whatever the ids are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flickr8k_release import picture
from PIL import Image
from raw_table import SCHEMA

from captioning.core.splits import shard_name
from captioning.evaluation.caption_split import CaptionedImage
from captioning.evaluation.plots import plot_attention
from captioning.evaluation.predictions import Prediction
from captioning.evaluation.samples import picture_name, plot_samples

IDS = [
    "plain.jpg",
    "x" * 247 + ".jpg",
    "é" * 1000,
    'a "quoted" #1 100%?.jpg',
    "back\\slash.jpg",
    "folder/deep/1.jpg",
    "folder/deep/1",
    "$5$ \n.jpg",
    "犬.jpg",
]


def captioned(image_id: str) -> CaptionedImage:
    prediction = Prediction(
        image_id=image_id, caption="a dog", references=("a dog runs",), log_probability=-1.0
    )
    maps = np.full((2, 2, 2), 0.25, "float32")
    return CaptionedImage({"image_id": image_id}, prediction, ("a", "dog"), (0, 1), maps)


def write_raw_table(folder: Path) -> None:
    """One shard of the test split with an image for each of `IDS`."""
    folder.mkdir()
    rows = [
        {"image_id": name, "image": picture("red"), "width": 8, "height": 6, "captions": ["a dog"]}
        for name in IDS
    ]
    table = pa.Table.from_pylist(rows, SCHEMA)
    pq.write_table(table, folder / shard_name("test", 0, 1, "parquet"))


def test_every_picture_has_a_safe_name_and_its_id_is_in_the_list_and_in_the_picture(
    tmp_path: Path,
) -> None:
    write_raw_table(tmp_path / "raw")
    folder = tmp_path / "captions"
    folder.mkdir()
    listed = plot_samples(folder, [captioned(name) for name in IDS], tmp_path / "raw", "test")
    assert [entry["image_id"] for entry in listed.values()] == IDS
    assert {entry["caption"] for entry in listed.values()} == {"a dog"}
    assert sorted(path.name for path in folder.iterdir()) == list(listed)
    assert not [path for path in tmp_path.iterdir() if path.name not in ("raw", "captions")]
    for number, (name, entry) in enumerate(listed.items()):
        assert re.fullmatch(rf"{number:03d}-[0-9a-f]{{8}}\.png", name)
        with Image.open(folder / name) as picture:
            assert picture.info["Title"] == entry["image_id"]


def test_the_name_depends_on_the_id_and_the_place_alone() -> None:
    assert picture_name(3, "train/what is 100%?.jpg") == "003-89b134b0.png"
    assert picture_name(3, "other.jpg") != picture_name(3, "train/what is 100%?.jpg")


@pytest.mark.parametrize("name", ["x" * 300, "a\nb\x1b[31m", "$5$"])
def test_the_id_is_drawn_below_the_picture(tmp_path: Path, name: str) -> None:
    image, maps = Image.new("RGB", (64, 48), "red"), np.full((1, 2, 2), 0.25, "float32")
    plot_attention(tmp_path / "with.png", image, "red", maps, name=name)
    plot_attention(tmp_path / "without.png", image, "red", maps)
    pixels = [np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("with", "without")]
    assert pixels[0].shape == pixels[1].shape
    lowest = 30  # The lowest line, below the legend.
    assert (pixels[1][-lowest:, :, :3] == 255).all()
    assert (pixels[0][-lowest:, :, :3] < 255).any()
