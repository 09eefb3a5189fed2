"""The layouts that a folder of the user's own images can have, and what is left out."""

from __future__ import annotations

import json
import sys
import unicodedata

import pyarrow as pa
import pytest
from imports import ROOT
from own_pictures import HF_IMAGE, captions, picture, read, splits, write, write_parquet

from captioning.data.images import formats as image_formats
from captioning.download.datasets.folder import Folder
from captioning.download.datasets.registry import make_dataset
from captioning.params.stages import load_params

ROWS = "red.png,Red .\ngreen.png,Grass\nblue.png,Sky\nred.png,Nothing but red\n"
EXPECTED = {
    "red.png": ("Red .", "Nothing but red"),
    "green.png": ("Grass",),
    "blue.png": ("Sky",),
}
TEXT, TEXTS = pa.string(), pa.list_(pa.string())


def json_lines(*rows: object) -> str:
    """The text of a JSON Lines file."""
    return "".join(json.dumps(row) + "\n" for row in rows)


TABLES = {
    "captions.csv": "image,caption\n" + ROWS,
    "Captions.CSV": "\ufeffimage,caption\r\n" + ROWS.replace("\n", "\r\n"),
    "captions.tsv": "image\tcaption\n" + ROWS.replace(",", "\t"),
    "metadata.csv": "\nid, File_Name ,text\n" + ROWS.replace("red.png", "0,red.png")
    .replace("green", "1,green").replace("blue", "2,blue"),
    "captions.jsonl": "\n" + json_lines(
        {"image": "red.png", "captions": ["Red .", "Nothing but red"], "more": {"a": 1}},
        {"image": "green.png", "captions": ["Grass"]},
        {"image": "blue.png", "caption": "Sky"},
    ),
    "metadata.jsonl": "\ufeff" + json_lines(
        {"file_name": "red.png", "text": "Red ."},
        {"file_name": "green.png", "text": "Grass"},
        {"file_name": "blue.png", "text": "Sky"},
        {"file_name": "red.png", "text": "Nothing but red"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_captions_are_read_from_a_text_table(tmp_path, name):
    assert captions(write(tmp_path, {name: TABLES[name]})) == EXPECTED


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary("int8", TEXT)])
def test_captions_are_read_from_a_parquet_table(tmp_path, kind):
    rows = [tuple(line.split(",")) for line in ROWS.splitlines()]
    write_parquet(write(tmp_path, {}) / "captions.parquet", {"image": TEXT, "caption": kind}, *rows)
    assert captions(tmp_path) == EXPECTED


def test_captions_are_read_from_text_files(tmp_path):
    texts = {
        "red.txt": "\ufeffRed .\r\n\r\n Nothing but red ",
        "green.TXT": "Grass",
        "blue.txt": "Sky\n",
    }
    assert captions(write(tmp_path, texts)) == EXPECTED


def test_quoted_csv_fields_may_contain_commas_quotes_and_line_ends(tmp_path):
    table = 'image,caption\n"red.png","A ""red"", flat\nfield"\ngreen.png,Mid "quote"\nblue.png,c\n'
    found = captions(write(tmp_path, {"captions.csv": table}))
    assert found["red.png"] == ('A "red", flat\nfield',)
    assert found["green.png"] == ('Mid "quote"',)


def test_a_csv_row_has_several_captions_in_several_columns_or_a_json_list(tmp_path):
    table = 'image,caption,caption,captions\nred.png,a,b,c\ngreen.png,d,e,"[""f"", ""[g]""]"\n'
    found = captions(write(tmp_path, {"captions.csv": table + "blue.png,[h],i,j\n"}))
    assert found == {
        "red.png": ("a", "b", "c"),
        "green.png": ("d", "e", "f", "[g]"),
        "blue.png": ("[h]", "i", "j"),
    }


def test_the_column_image_is_preferred_to_its_other_names(tmp_path):
    table = "filename,image,caption,text\nx,red.png,a,-\ny,green.png,b,-\nz,blue.png,c,-\n"
    assert set(captions(write(tmp_path, {"captions.csv": table}))) == set(EXPECTED)


def test_examples_have_the_files_bytes_and_the_order_of_the_captions(tmp_path):
    rows = "".join(f"{name},{name} picture,train\n" for name in ("white.png", "a/b.JPG", "red.png"))
    table = f"image,caption,split\n{rows}green.png,g,dev\nblue.png,b,Test \n"
    write(tmp_path, {"captions.csv": table, "a/b.JPG": picture("pink", "JPEG")})
    examples, rejected = read(tmp_path)
    assert [(example.split, example.image_id) for example in examples] == [
        ("train", "white.png"),
        ("train", "a/b.JPG"),
        ("train", "red.png"),
        ("validation", "green.png"),
        ("test", "blue.png"),
    ]
    assert examples[1].image == picture("pink", "JPEG")
    assert rejected == {}


@pytest.mark.parametrize(
    "written",
    ["sub/é.png", "./sub//é.png", "x/../sub/é.png", "sub\\é.png", "sub/e\u0301.png", " sub/é.png "],
)
def test_paths_may_be_written_in_several_ways(tmp_path, written):
    table = f"image,caption\n{written},c\nred.png,r\ngreen.png,g\n"
    write(tmp_path, {"captions.csv": table, "sub/é.png": picture("pink")})
    assert captions(tmp_path)["sub/é.png"] == ("c",)


def test_a_file_name_with_decomposed_accents_is_found_and_kept(tmp_path):
    name = unicodedata.normalize("NFD", "é.png")
    write(tmp_path, {"captions.csv": "image,caption\né.png,c\nred.png,r\ngreen.png,g\n"})
    (tmp_path / name).write_bytes(picture("pink"))
    assert captions(tmp_path)[name] == ("c",)


def test_links_to_files_are_read_and_links_to_folders_are_not(tmp_path):
    write(tmp_path / "elsewhere", {"inside/pink.png": picture("pink")})
    table = "image,caption\nred.png,r\ngreen.png,g\nlink.png,l\n"
    folder = write(tmp_path / "mine", {"captions.csv": table})
    (folder / "link.png").symlink_to(tmp_path / "elsewhere/inside/pink.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "dangling.png").symlink_to(tmp_path / "nothing")
    assert "link.png" in captions(folder)
    assert read(folder)[1] == {"image without captions": ["blue.png", "white.png"]}


# Hugging Face's layouts.


def test_imagefolder_with_metadata_in_each_split(tmp_path):
    for folder, image in (("train", "red"), ("Valid", "green"), ("test", "blue")):
        metadata = json_lines({"file_name": f"deep/{image}.png", "text": f"A {image} field"})
        files = {"metadata.jsonl": metadata, f"deep/{image}.png": picture(image)}
        for name, content in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert splits(tmp_path) == {
        "train/deep/red.png": "train",
        "Valid/deep/green.png": "validation",
        "test/deep/blue.png": "test",
    }
    assert captions(tmp_path)["test/deep/blue.png"] == ("A blue field",)


def test_imagefolder_with_one_metadata_file(tmp_path):
    pictures = {f"data/{s}/{s}.png": picture(c) for s, c in (("val", "red"), ("test", "pink"))}
    files = {**pictures, "data/train/0.png": picture("gold"), "data/train/1.png": picture("teal")}
    table = "file_name,text\n" + "".join(f"{name},c\n" for name in files)
    write(tmp_path, {"metadata.csv": table, **files})
    assert splits(tmp_path) == {
        "data/train/0.png": "train",
        "data/train/1.png": "train",
        "data/val/val.png": "validation",
        "data/test/test.png": "test",
    }


def test_parquet_shards_with_images_in_them(tmp_path):
    schema = {"image": HF_IMAGE, "label": pa.int64(), "caption": TEXTS}
    rows = [
        ({"bytes": picture(colour), "path": "0.png"}, number, [f"A {colour} field", "More"])
        for number, colour in enumerate(("red", "green", "blue", "gold", "teal"))
    ]
    write_parquet(tmp_path / "data/train-00000-of-00002-0a1b.parquet", schema, *rows[:2])
    write_parquet(tmp_path / "data/train-00001-of-00002-2c3d.parquet", schema, rows[2])
    write_parquet(tmp_path / "data/validation-00000-of-00001-4e5f.parquet", schema, rows[3])
    write_parquet(tmp_path / "data/test-00000-of-00001-6071.parquet", schema, rows[4])
    examples, rejected = read(tmp_path)
    assert [(e.split, e.image_id.partition("-of-")[2]) for e in examples] == [
        ("train", "00002-0a1b.parquet#1"),
        ("train", "00002-0a1b.parquet#2"),
        ("train", "00002-2c3d.parquet#1"),
        ("validation", "00001-4e5f.parquet#1"),
        ("test", "00001-6071.parquet#1"),
    ]
    assert [example.image for example in examples] == [row[0]["bytes"] for row in rows]
    assert examples[3].captions == ("A gold field", "More")
    assert rejected == {}


def test_rows_of_one_embedded_image_are_merged_and_the_split_column_wins_over_the_file_name(
    tmp_path,
):
    schema = {"image": pa.binary(), "text": TEXT, "split": TEXT}
    colours = ["red", "red", "green", "blue", "red", "gold"]
    names = ["train", "train", "train", "val", "train", "test"]
    rows = [
        (picture(colour), f"caption {number}", names[number])
        for number, colour in enumerate(colours)
    ]
    write_parquet(tmp_path / "TEST-00000-of-00001.parquet", schema, *rows)
    examples, rejected = read(tmp_path)
    assert [(e.split, e.image_id.split("#")[1], e.captions) for e in examples] == [
        ("train", "1", ("caption 0", "caption 1", "caption 4")),
        ("train", "3", ("caption 2",)),
        ("validation", "4", ("caption 3",)),
        ("test", "6", ("caption 5",)),
    ]
    assert examples[1].image == picture("green")
    assert rejected == {}


def test_parquet_with_paths_of_images(tmp_path):
    write(tmp_path / "data", {})
    rows = [({"bytes": None, "path": f"{name}.png"}, name) for name in ("red", "green", "blue")]
    write_parquet(tmp_path / "data/all.parquet", {"image": HF_IMAGE, "text": TEXT}, *rows)
    assert set(captions(tmp_path)) == {"data/red.png", "data/green.png", "data/blue.png"}


# Unusable images and captions are left out, counted and named.


def test_rejections_are_named(tmp_path):
    table = (
        "image,caption\nred.png,Red\nred.png, \ngreen.png,Grass\nblue.png,...\nbroken.png,b\n"
        "empty.png,e\ngold.png,Gold\n"
    )
    files = {
        "captions.csv": table,
        "broken.png": picture("red")[:40],
        "empty.png": b"",
        "gold.png": picture("gold"),
        ".hidden.png": b"",
        ".thumbnails/red.png": b"",
        "unknown/teal.JPEG": b"",
        "notes.md": "not an image",
    }
    examples, rejected = read(write(tmp_path, files))
    assert {example.image_id for example in examples} == {"red.png", "green.png", "gold.png"}
    assert rejected == {
        "caption without a word": ["captions.csv:5"],
        "empty caption": ["captions.csv:3"],
        "empty image": ["empty.png (the file is empty)"],
        "image without captions": ["blue.png", "unknown/teal.JPEG", "white.png"],
        "truncated or corrupt image": ["broken.png (PNG: broken PNG file (chunk b'IDA'))"],
    }


def test_heic_is_an_image_and_the_reason_why_it_is_left_out_is_given(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    image_formats._heif_is_installed.cache_clear()
    texts = {f"{name}.txt": name for name in ("red", "green", "blue", "white", "IMG_0012")}
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    _, rejected = read(write(tmp_path, {**texts, "IMG_0012.HEIC": heic}))
    advice = "it is HEIC: convert it to JPEG, or run `pip install -e '.[heic]'`"
    assert rejected == {"image format that is not read": [f"IMG_0012.HEIC ({advice})"]}
    image_formats._heif_is_installed.cache_clear()


def test_text_files_without_an_image_and_images_without_text_are_named(tmp_path):
    texts = {f"{name}.txt": name for name in ("red", "green", "blue", "LICENSE", "gold")}
    (write(tmp_path, texts) / "red.txt").write_bytes(b"Red\n")
    assert read(tmp_path)[1] == {
        "image without captions": ["white.png"],
        "text file beside no image": ["LICENSE.txt", "gold.txt"],
    }


def test_a_file_name_that_is_not_utf8_is_named(tmp_path):
    write(tmp_path, {"captions.csv": "image,caption\n" + ROWS})
    (tmp_path / b"caf\xe9.png".decode("utf-8", "surrogateescape")).write_bytes(picture("pink"))
    assert read(tmp_path)[1] == {
        "file name that is not UTF-8": ["'caf\\udce9.png'"],
        "image without captions": ["white.png"],
    }


def test_the_example_in_the_repository_is_such_a_folder(monkeypatch):
    monkeypatch.chdir(ROOT)
    params = load_params().model_copy(update={"dataset": "folder"})
    dataset = make_dataset(params)
    assert isinstance(dataset, Folder)
    assert len(captions(ROOT / params.datasets.folder.path)) == 12


def test_a_text_beside_a_file_that_is_no_readable_image_is_not_said_to_be_beside_nothing(tmp_path):
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    files = {"IMG_0012.HEIC": heic, "IMG_0012.txt": "c", "DSC_1.NEF": b"raw", "DSC_1.txt": "c"}
    texts = {f"{name}.txt": name for name in ("red", "green", "blue", "white", "alone")}
    rejected = read(write(tmp_path, {**files, **texts}))[1]
    assert rejected["text file beside no image"] == ["alone.txt"]
    assert rejected["text file beside a file that is not read as an image"] == [
        "DSC_1.txt (DSC_1.NEF)"
    ]
    (reason,) = (reason for reason, names in rejected.items() if "IMG_0012.HEIC" in names[0])
    assert reason != "image without captions"
