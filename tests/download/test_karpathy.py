"""Karpathy's split files, with images in folders and archives."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import coco
import flickr8k_release
import pytest

from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.flickr8k import Flickr8k
from captioning.download.datasets.karpathy import Karpathy
from captioning.download.datasets.karpathy_split_file import read_karpathy
from captioning.params.datasets import KarpathyParams


@pytest.fixture(autouse=True)
def _no_source_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAPTIONING_SOURCE", raising=False)


def examples(values: dict[str, Any], rejections: Rejections | None = None) -> list[Example]:
    """All examples of the dataset with these params."""
    return list(Karpathy(KarpathyParams(**values)).examples(rejections or Rejections()))


def ids(found: list[Example]) -> list[tuple[str, int]]:
    """The split of each example, and its number in COCO."""
    return [(example.split, coco.cocoid(example.image_id)) for example in found]


def plain(folder: Path, split: dict[str, Any], **images: bytes) -> dict[str, Any]:
    """Write a split file and a folder of images; return params that name them."""
    (folder / "split.json").write_text(json.dumps(split), encoding="utf-8")
    for name, data in images.items():
        (folder / "images").mkdir(exist_ok=True)
        (folder / "images" / f"{name}.jpg").write_bytes(data)
    return {
        **coco.write_release(folder / "unused"),
        "annotations": str(folder / "split.json"),
        "annotations_md5": None,
        "images": [str(folder / "images")],
        "images_md5": None,
    }


def small(*splits: str) -> dict[str, Any]:
    """A split file without folders, as for Flickr30k: images a.jpg, b.jpg, … in these splits."""
    records = [
        coco.record(f"{name}.jpg", split, [f"Picture {name} ."], number)
        for number, (name, split) in enumerate(zip("abcdefgh", splits, strict=False))
    ]
    return {"images": records, "dataset": "flickr30k"}


def test_each_split_keeps_the_order_of_the_file_and_restval_goes_to_train(tmp_path):
    rejections = Rejections()
    found = examples(coco.write_release(tmp_path), rejections)
    assert ids(found) == [
        ("train", 42),
        ("train", 25),
        ("train", 9),
        ("validation", 133),
        ("validation", 74),
        ("test", 73),
        ("test", 136),
    ]
    assert found[0] == Example(
        "COCO_val2014_000000000042",
        "train",
        coco.picture("blue"),
        ("A blue field.", " A café painted blue "),
        {"file": "val2014/COCO_val2014_000000000042.jpg"},
    )
    assert rejections.listed_names() == {}


def test_restval_can_be_left_out(tmp_path):
    rejections = Rejections()
    found = examples({**coco.write_release(tmp_path), "restval": "exclude"}, rejections)
    assert ids(found)[:3] == [("train", 25), ("train", 9), ("validation", 133)]
    assert rejections.listed_names() == {}


def test_a_slice_takes_the_first_images_of_each_split(tmp_path):
    values = coco.write_release(tmp_path)
    values |= {"train_images": 2, "validation_images": 1, "test_images": 5}
    rejections = Rejections()
    assert ids(examples(values, rejections)) == [
        ("train", 42),
        ("train", 25),
        ("validation", 133),
        ("test", 73),
        ("test", 136),
    ]
    assert rejections.listed_names() == {}


@pytest.mark.parametrize("below", ["", "coco/images"])
def test_folders_and_archives_give_the_same_examples(tmp_path, below):
    values = coco.write_release(tmp_path)
    expected = examples(values)
    for member, data in coco.pictures().items():
        path = tmp_path / "unpacked" / below / member
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    values["images_md5"] = None
    assert examples({**values, "images": [str(tmp_path / "unpacked")]}) == expected
    folders = [str(tmp_path / "unpacked" / below / name) for name in ("val2014", "train2014")]
    assert examples({**values, "images": folders}) == expected
    mixed = [values["images"][0], folders[0]]
    assert examples({**values, "images": mixed}) == expected


def test_the_split_file_does_not_have_to_be_in_an_archive(tmp_path):
    values = coco.write_release(tmp_path)
    expected = examples(values)
    (tmp_path / "mine.json").write_text(json.dumps(coco.split_file()), encoding="utf-8")
    plain_file = {"annotations": str(tmp_path / "mine.json"), "annotations_md5": None}
    assert examples({**values, **plain_file}) == expected


def test_flickr8k_gives_the_same_examples_as_from_its_own_files(tmp_path):
    own = flickr8k_release.release(
        tmp_path / "own", flickr8k_release.photographs(), flickr8k_release.texts()
    )
    rejections = Rejections()
    expected = list(Flickr8k(own).examples(rejections))
    names = {"train": "train", "validation": "val", "test": "test"}
    records = [
        coco.record(f"{example.image_id}.jpg", names[example.split], list(example.captions), number)
        for number, example in enumerate(expected)
    ]
    (tmp_path / "dataset_flickr8k.json").write_text(
        json.dumps({"images": records, "dataset": "flickr8k"}), encoding="utf-8"
    )
    values = coco.write_release(tmp_path / "unused") | {
        "annotations": str(tmp_path / "dataset_flickr8k.json"),
        "annotations_md5": None,
        "images": [f"{own.source}/{flickr8k_release.IMAGES}"],
        "images_md5": [own.images_md5],
    }
    rejected = Rejections()
    assert examples(values, rejected) == expected
    reason = "image in no split"
    assert rejected.listed_names() == {reason: rejections.listed_names()[reason]}


def test_images_that_are_missing_or_in_no_split_are_counted_and_named(tmp_path):
    red = coco.picture("red")
    values = plain(tmp_path, small("train", "train", "val", "test"), a=red, c=red, d=red, x=red)
    (tmp_path / "images" / "readme.txt").write_text("no image")
    (tmp_path / "images" / ".hidden.jpg").write_bytes(red)
    elsewhere = tmp_path / "images" / "other set"
    elsewhere.mkdir()
    (elsewhere / "y.jpg").write_bytes(red)
    rejections = Rejections()
    assert [e.image_id for e in examples(values, rejections)] == ["a", "c", "d"]
    assert rejections.listed_names() == {
        "image listed but missing": ["b.jpg"],
        "image in no split": ["x.jpg"],
    }


def test_a_listed_named_pipe_is_missing_and_nothing_waits_for_it(tmp_path):
    red = coco.picture("red")
    values = plain(tmp_path, small("train", "train", "val", "test"), a=red, c=red, d=red)
    os.mkfifo(tmp_path / "images" / "b.jpg")
    rejections = Rejections()
    assert [e.image_id for e in examples(values, rejections)] == ["a", "c", "d"]
    assert rejections.listed_names() == {"image listed but missing": ["b.jpg"]}


def test_images_with_the_same_stem_are_named_by_their_paths(tmp_path):
    names = ["x.jpg", "x.png", "y.jpg", "z.jpg.png", "z.jpg"]
    splits = ["train", "val", "test", "test", "test"]
    records = [
        coco.record(name, split, ["A field ."], number)
        for number, (name, split) in enumerate(zip(names, splits, strict=True))
    ]
    values = plain(tmp_path, {"images": records}, x=b"1", y=b"2", z=b"3")
    for name in ("x.png", "z.jpg.png"):
        (tmp_path / "images" / name).write_bytes(name.encode())
    found = {example.image_id: example.image for example in examples(values)}
    assert found == {
        "x.jpg": b"1",
        "x.png": b"x.png",
        "y": b"2",
        "z.jpg.png": b"z.jpg.png",
        "z": b"3",
    }


def test_a_name_in_another_normal_form_than_the_files_is_found(tmp_path):
    names = [unicodedata.normalize("NFC", f"{name}é.jpg") for name in "abc"]
    records = [
        coco.record(name, split, ["A field ."], number)
        for number, (name, split) in enumerate(zip(names, ("train", "val", "test"), strict=True))
    ]
    values = plain(tmp_path, {"images": records}, x=b"")
    (tmp_path / "images" / "x.jpg").unlink()
    for name in names:
        (tmp_path / "images" / unicodedata.normalize("NFD", name)).write_bytes(b"found")
    assert [example.image for example in examples(values)] == [b"found"] * 3


def test_a_file_name_that_is_not_utf_8_does_not_end_the_stage(tmp_path):
    red = coco.picture("red")
    values = plain(tmp_path, small("train", "val", "test"), a=red, b=red, c=red)
    (tmp_path / "images" / os.fsdecode(b"\xff.jpg")).write_bytes(red)
    rejections = Rejections()
    examples(values, rejections)
    assert rejections.listed_names() == {"image in no split": [r"'\udcff.jpg'"]}
    write_json(tmp_path / "rejected.json", rejections.listed_names())


def test_a_split_with_no_image_found_is_an_error_before_any_image_is_read(tmp_path):
    values = coco.write_release(tmp_path)
    values |= {"images": values["images"][:1], "images_md5": values["images_md5"][:1]}
    message = (
        r"none of the 2 images of the validation split was found, the first one is "
        r"val2014/COCO_val2014_000000000133\.jpg"
    )
    with pytest.raises(InputError, match=message):
        next(Karpathy(KarpathyParams(**values)).examples(Rejections()))


def test_a_split_that_is_missing_from_the_file_is_an_error(tmp_path):
    red = coco.picture("red")
    values = plain(tmp_path, small("train", "val"), a=red, b=red)
    with pytest.raises(InputError, match="no image is listed for the test split"):
        examples(values)


def test_an_image_in_two_places_is_refused(tmp_path):
    red = coco.picture("red")
    values = plain(tmp_path, small("train", "val", "test"), a=red, b=red, c=red)
    (tmp_path / "images" / "copy").mkdir()
    (tmp_path / "images" / "copy" / "b.jpg").write_bytes(red)
    with pytest.raises(InputError, match=r"image b\.jpg is in two places, .*/b\.jpg and .*copy/b"):
        examples(values)


def test_an_empty_list_of_images_is_an_error(tmp_path):
    values = coco.write_release(tmp_path) | {"images": [], "images_md5": None}
    with pytest.raises(InputError, match=r"`images` of this dataset in params\.yaml is empty"):
        examples(values)


def test_an_archive_without_the_split_file_names_those_it_has(tmp_path):
    values = coco.write_release(tmp_path) | {"split_file": "dataset_flickr30k.json"}
    message = (
        r"contains no dataset_flickr30k\.json: .*\(dataset_flickr8k\.json, dataset_coco\.json\)"
    )
    with pytest.raises(InputError, match=message):
        examples(values)


def broken(**changes: Any) -> bytes:
    """A split file whose second image is changed; None removes a key."""
    content = coco.split_file()
    image = content["images"][1] | changes
    content["images"][1] = {key: value for key, value in image.items() if value is not None}
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"s\.json is not JSON \(Expecting value"),
        (b"PK\x03\x04\xff", r"s\.json is not JSON"),
        (b'{"images": [', r"s\.json is not JSON"),
        (b"[" * 100_000, r"s\.json is not JSON"),
        (b"[]", r"s\.json has no list `images`"),
        (b'{"annotations": []}', r"s\.json has no list `images`: .*Karpathy's dataset_coco\.json"),
        (b'{"images": [7]}', r"s\.json: images\[0\]: .*found 7"),
        (
            b'{"images": [{"license": 5, "file_name": "COCO_val2014_1.jpg", "id": 1}]}',
            r"s\.json: images\[0\]\.filename: is missing: .* layout of Karpathy's",
        ),
        (broken(split="dev"), r"images\[1\]\.split: .*'train', 'restval', 'val'.*found 'dev'"),
        (broken(split=None), r"images\[1\]\.split: is missing"),
        (broken(filename=""), r"images\[1\]\.filename: .*at least 1 character"),
        (broken(sentences=None), r"images\[1\]\.sentences: is missing"),
        (broken(sentences=["text"]), r"images\[1\]\.sentences\.0: .*found 'text'"),
        (broken(sentences=[{"tokens": ["a"]}]), r"images\[1\]\.sentences\.0\.raw: is missing"),
        (
            broken(sentences=[{"raw": "half a sign: \ud83d"}]),
            r"sentences\.0\.raw: is not valid Unicode \(found 'half a sign: \\ud83d'\)",
        ),
        (broken(filename="\udfff.jpg"), r"images\[1\]\.filename: .*unicode"),
        (broken(sentences=[{"raw": 3}]), r"images\[1\]\.sentences\.0\.raw: .*found 3"),
        (
            broken(filename="COCO_val2014_000000000073.jpg"),
            r"val2014/COCO_val2014_000000000073\.jpg is in two splits, test \(images\[0\]\) and "
            r"restval \(images\[1\]\)",
        ),
    ],
)
def test_an_invalid_split_file_is_refused_with_the_record(content, message):
    with pytest.raises(InputError, match=message):
        list(read_karpathy(content, "s.json"))


def test_a_file_with_a_byte_order_mark_is_read():
    content = b"\xef\xbb\xbf" + json.dumps(coco.split_file()).encode()
    assert len(list(read_karpathy(content, "s.json"))) == 7
