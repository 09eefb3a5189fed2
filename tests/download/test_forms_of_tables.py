"""Tables of open_clip and Hugging Face, and images in zip archives beside them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from own_pictures import HF_IMAGE, captions, picture, read, splits, write, write_parquet
from published_forms import NAMES, PICTURES, problems, published

from captioning.core.errors import InputError


@pytest.mark.parametrize(
    "header", ["filepath\ttitle", "image_path\tprompt", "file_name\tsentences", "image\tcaption_0"]
)
def test_a_table_with_any_name_is_recognized_by_its_columns(tmp_path, capsys, header):
    table = f"{header}\n" + "".join(f"images/{name}\tA field, flat\n" for name in NAMES)
    found = captions(published(tmp_path, {"train.csv": table}, "images"))
    assert found == {f"images/{name}": ("A field, flat",) for name in NAMES}
    assert capsys.readouterr().out == "read as: train.csv, 6 pictures\n"


def test_json_lines_with_another_suffix(tmp_path, capsys):
    table = "".join(json.dumps({"image": name, "prompt": "A field"}) + "\n" for name in NAMES)
    assert len(captions(published(tmp_path, {"annotations/data.json": table}, "images"))) == 6
    assert capsys.readouterr().out == "read as: annotations/data.json, 6 pictures\n"


def test_the_split_restval_belongs_to_train(tmp_path):
    names = ("train", "restval", "restval", "train", "val", "test")
    rows = zip(NAMES, names, strict=True)
    table = "filename,sentences,split\n" + "".join(f"{n},\"['a', 'b']\",{s}\n" for n, s in rows)
    folder = published(tmp_path, {"metadata.csv": table}, ".")
    assert list(splits(folder).values()) == ["train"] * 4 + ["validation", "test"]


def test_numbered_columns_of_captions(tmp_path):
    header = "file_name,caption_0,caption_1,caption 2,caption_10,caption_id\n"
    table = header + "".join(f"{name},a,b,c,d,e\n" for name in NAMES)
    published(tmp_path, {"metadata.csv": table.replace(",a,", ",[music],")}, ".")
    assert captions(tmp_path)["0_red.jpg"] == ("[music]", "b", "c", "d")


def test_images_in_a_zip_archive_beside_the_table(tmp_path, capsys):
    rows = [{"filename": name, "raw": ["One.", "Two."], "split": "train"} for name in NAMES]
    rows[4]["split"], rows[5]["split"] = "val", "test"
    write_zip(
        tmp_path / "flickr30k-images.zip",
        {
            f"flickr30k-images/{n}": d
            for n, d in {**PICTURES, "more.jpg": picture("black", "JPEG")}.items()
        },
    )
    table = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "metadata.jsonl").write_text(table)
    examples, rejected = read(tmp_path)
    place = "flickr30k-images.zip/flickr30k-images"
    assert [example.image_id for example in examples] == [f"{place}/{name}" for name in NAMES]
    assert [example.image for example in examples] == list(PICTURES.values())
    assert examples[5].captions == ("One.", "Two.")
    assert rejected == {"image without captions": [f"{place}/more.jpg"]}


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_hostile_archives_of_images_are_refused(tmp_path):
    table = "image,caption\n" + "".join(f"images/{name},c\n" for name in NAMES)
    write(tmp_path, {"captions.csv": table})
    write_zip(tmp_path / "images.zip", {"../../evil.jpg": b"", **PICTURES})
    with pytest.raises(InputError, match=r"its member '\.\./\.\./evil\.jpg' leads outside"):
        read(tmp_path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in PICTURES.items():
            archive.writestr(name, data)
    (tmp_path / "images.zip").write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(InputError, match=r"images\.zip is truncated or not a zip archive"):
        read(tmp_path)


def test_an_image_in_two_archives_is_a_problem(tmp_path):
    table = "image,caption\n" + "".join(f"{name},c\n" for name in NAMES)
    (tmp_path / "captions.csv").write_text(table)
    write_zip(tmp_path / "a.zip", PICTURES)
    write_zip(tmp_path / "b.zip", {NAMES[0]: b""})
    assert problems(tmp_path) == [
        f"captions.csv:2: {NAMES[0]!r} is in two places, a.zip/{NAMES[0]} and b.zip/{NAMES[0]}: "
        "remove one"
    ]


# Hugging Face's Parquet files with the images in them.

TEXT, TEXTS = pa.string(), pa.list_(pa.string())
SENTENCES = pa.list_(pa.struct([("raw", TEXT), ("sentid", pa.int64())]))


@pytest.mark.parametrize(
    ("columns", "values", "expected"),
    [
        ({f"caption_{k}": TEXT for k in range(5)}, ("a", "b", None, "d", "e"), "abde"),
        ({"sentences": TEXTS}, (["a", "b"],), "ab"),
        ({"sentences": SENTENCES}, ([{"raw": "a", "sentid": 1}, {"raw": "b", "sentid": 2}],), "ab"),
        ({"prompt": TEXT, "seed": pa.int64()}, ("a", 7), "a"),
        ({"text": TEXT, "prompt": TEXT}, ("a", "not this"), "a"),
        ({"raw": TEXT, "sentids": TEXT}, ('["a", "b"]', "[1, 2]"), "ab"),
    ],
)
@pytest.mark.parametrize("image", ["image", "jpg", "img"])
def test_captions_in_the_columns_of_hugging_faces_tables(
    tmp_path, image, columns, values, expected
):
    rows = [(({"bytes": data, "path": name}), *values) for name, data in PICTURES.items()]
    place = tmp_path / "data/train-00000-of-00001.parquet"
    write_parquet(place, {image: HF_IMAGE, **columns}, *rows)
    name = "data/train-00000-of-00001.parquet"
    assert captions(tmp_path) == {f"{name}#{n}": tuple(expected) for n in range(1, 7)}


@pytest.mark.parametrize(
    ("columns", "values", "problem"),
    [
        ({"sentences": pa.list_(pa.int64())}, ([1],), "a caption must be text, not 1"),
        ({"sentences": pa.list_(pa.struct([("x", TEXT)]))}, ([{"x": "a"}],), "a caption must be"),
        ({"caption_0": TEXT}, ("['a",), "the caption begins like a list, but is neither"),
    ],
)
def test_wrong_types_in_hugging_faces_tables_are_problems(tmp_path, columns, values, problem):
    rows = [(PICTURES[NAMES[0]], *values)]
    write_parquet(tmp_path / "test.parquet", {"image": pa.binary(), **columns}, *rows)
    (found,) = problems(tmp_path)
    assert found.startswith(f"test.parquet:1: {problem}")
