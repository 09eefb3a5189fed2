"""What has to be mended in a folder of one's own pictures is told in one report."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_pictures import captions, picture, read, write, write_parquet

from captioning.core.errors import InputError
from captioning.download.datasets.folder.parquet import embedded_images
from captioning.download.datasets.folder.problems import FULL_LIST, SHOWN

TEXT = pa.string()
GOOD = "image,caption\nred.png,r\ngreen.png,g\nblue.png,b\n"


def report(folder: Path) -> list[str]:
    """The lines of the report on a folder, without its heading."""
    with pytest.raises(InputError) as caught:
        read(folder)
    heading, *lines = str(caught.value).split("\n")
    number = len(lines)
    assert heading == f"{folder} has {number} problem{'s' if number > 1 else ''}:"
    return [line.removeprefix("  ") for line in lines]


def test_all_problems_are_listed_by_file_and_line(tmp_path):
    table = (
        "image,caption,split\n"
        "red.png,fine,train\n"
        'green.png,"over\ntwo lines",train\n'
        "missing.png,gone,train\n"
        "green.png,one, comma too many,train\n"
        "green.png\n"
        "\n"
        'blue.png,"quoted" badly,train\n'
        "blue.png,fine,eval\n"
        ",nothing named,train\n"
        "../outside.png,out,train\n"
        "/etc/hosts,out,train\n"
        "red.png,elsewhere,test\n"
        "sub,a folder,train\n"
        "blue.png,no split,\n"
        'white.png,"never closed\nred.png,fine,train\n'
    )
    folder = write(tmp_path, {"captions.csv": table, "sub/missing.png": picture("pink")})
    assert report(folder) == [
        "captions.csv:5: there is no file 'missing.png'; is 'sub/missing.png' meant?",
        "captions.csv:6: 4 fields instead of 3: a field that holds ',' stands in double quotes",
        "captions.csv:7: only 1 of 3 fields",
        "captions.csv:9: malformed from here to line 9 (',' expected after '\"'): a field with "
        "double quotes stands in double quotes, its own doubled",
        "captions.csv:10: unknown split 'eval': expected one of train, training, validation, val, "
        "valid, dev, test, testing",
        "captions.csv:11: names no image",
        "captions.csv:12: '../outside.png' leads outside the folder",
        "captions.csv:13: '/etc/hosts' leads outside the folder",
        "captions.csv:14: red.png is in test here, in train in captions.csv:2",
        "captions.csv:15: there is no file 'sub'",
        "captions.csv:16: blue.png is given no split, while others are "
        "(red.png in train, captions.csv:2)",
        "captions.csv:17: malformed from here to line 18 (unexpected end of data): a field with "
        "double quotes stands in double quotes, its own doubled",
    ]


def test_json_lines_that_are_none_are_listed(tmp_path):
    lines = (
        b'{"image": "red.png", "caption": "fine"}\n'
        b'{"image": "red.png", "caption": \n'
        b'["red.png", "a list"]\n'
        b'{"file": "red.png", "caption": "another key"}\n'
        b'{"image": "red.png"}\n'
        b'{"image": 7, "caption": "a number"}\n'
        b'{"image": "red.png", "caption": 7}\n'
        b'{"image": "red.png", "captions": ["fine", ["not"]]}\n'
        b'{"image": "red.png", "caption": "half a sign: \\ud83d"}\n'
        b'{"image": "red.png", "caption": "caf\xe9"}\n'
        b'{"image": "red.png", "caption": "fine", "split": 0}\n'
        b'{"image": null, "caption": "none"}\n'
        b'{"image": {"bytes": null}, "caption": "none"}\n'
    )
    write(tmp_path, {"captions.jsonl": lines})
    where = [f"captions.jsonl:{number}: " for number in range(2, 14)]
    found = report(tmp_path)
    assert [line[: len(place)] for line, place in zip(found, where, strict=True)] == where
    assert [line.partition(": ")[2] for line in found] == [
        "is no JSON (Expecting value at column 32)",
        "is no JSON object",
        "no image: expected image or file_name or filename or image_path, found 'file', 'caption'",
        "no caption: expected caption or captions or text, found 'image'",
        "an image is a path or an image's bytes, not 7",
        "a caption is a text, not 7",
        "a caption is a text, not ['not']",
        "a caption is not valid Unicode: 'half a sign: \\ud83d'",
        "is not UTF-8: save the file in that encoding",
        "a split is a name, not 0",
        "names no image",
        "names no image",
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "captions.csv: has no header"),
        ("image,label\nred.png,x\n", "captions.csv:1: no caption: .*, found 'image', 'label'"),
        ("red.png,Red\n", "captions.csv:1: no image: .*, found 'red.png', 'Red'"),
        ("image;caption\nred.png;x\n", "captions.csv:1: .*: separate them by ',', not ';'"),
        ("image,captions\nred.png,['a']\n", r"captions.csv:2: captions begin with \[ but are no"),
        ("image,caption\nred.png,é\n".encode("cp1252"), "captions.csv:2: is not UTF-8: save the"),
        ("image,caption\nred.png,x\n".encode("utf-16"), "captions.csv:1: is not UTF-8: save the"),
    ],
)
def test_tables_that_can_not_be_read_as_such(tmp_path, table, problem):
    (line,) = report(write(tmp_path, {"captions.csv": table}))
    assert re.match(problem, line)


def test_json_lines_in_utf_16_are_one_problem(tmp_path):
    write(tmp_path, {"captions.jsonl": '{"image": "a"}\n{"image": "a"}\n'.encode("utf-16")})
    assert report(tmp_path) == ["captions.jsonl:1: is not UTF-8: save the file in that encoding"]


def test_rows_of_parquet_are_numbered(tmp_path):
    rows = [("red.png", 1), ("gone.png", 2), (None, 3), ("red.png", None)]
    write_parquet(tmp_path / "captions.parquet", {"image": TEXT, "caption": pa.int64()}, *rows)
    assert report(write(tmp_path, {})) == [
        "captions.parquet:1: a caption is a text, not 1",
        "captions.parquet:2: a caption is a text, not 2",
        "captions.parquet:3: a caption is a text, not 3",
    ]


def test_parquet_that_is_none_or_lacks_a_column(tmp_path):
    write(tmp_path, {"train/captions.parquet": b"PAR1 not"})
    write_parquet(tmp_path / "test/captions.parquet", {"image": TEXT}, ("red.png",))
    first, second = report(tmp_path)
    assert (
        first
        == "test/captions.parquet: no caption: expected caption or captions or text, found 'image'"
    )
    assert re.match(r"train/captions\.parquet: can't be read as Parquet \(.+\)", second)


def test_text_of_parquet_that_is_no_utf_8_is_a_problem(tmp_path):
    names = pa.array([b"red.png"]).cast(TEXT)
    words = pa.Array.from_buffers(TEXT, 1, pa.array([b"caf\xe9"]).buffers())
    table = pa.table({"image": names, "caption": words})
    pq.write_table(table, write(tmp_path, {}) / "captions.parquet")
    (line,) = report(tmp_path)
    assert line.startswith("captions.parquet: can't be read as Parquet ('utf-8' codec can't decode")


def test_a_file_in_another_folder_or_case_is_hinted_at(tmp_path):
    table = f"image,caption\nRED.PNG,r\n{'x' * 300}.png,x\n"
    assert report(write(tmp_path, {"captions.csv": table})) == [
        "captions.csv:2: there is no file 'RED.PNG'; is 'red.png' meant?",
        f"captions.csv:3: there is no file '{'x' * 116}...",
    ]


def test_text_files_that_are_none(tmp_path):
    texts = {"red.txt": b"fine\ncaf\xe9\n", "green.txt": "g", "green.jpg": picture("green", "JPEG")}
    assert report(write(tmp_path, texts)) == [
        "green.txt: stands beside more than one image: green.jpg, green.png",
        "red.txt:2: is not UTF-8: save the file in that encoding",
    ]


def test_images_that_can_not_be_read_are_listed(tmp_path):
    folder = write(tmp_path, {"captions.csv": GOOD + "link.png,l\n"})
    (folder / "link.png").symlink_to("/proc/self/mem")
    assert report(folder) == ["captions.csv:5: link.png can't be read (Input/output error)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read_are_listed_with_the_other_problems(tmp_path):
    folder = write(tmp_path, {"captions.csv": GOOD + "gone.png,g\n"})
    (folder / "red.png").chmod(0)
    assert report(folder) == [
        "captions.csv:2: red.png can't be read: see to its permissions",
        "captions.csv:5: there is no file 'gone.png'",
    ]
    (folder / "captions.csv").chmod(0)
    assert report(folder) == ["captions.csv: can't be read (Permission denied)"]


def test_a_split_of_some_folders_only_is_a_problem(tmp_path):
    pictures = {f"{folder}/{n}.png": picture("gold") for n, folder in enumerate(("train", "more"))}
    table = "image,caption\n" + "".join(f"{name},c\n" for name in pictures)
    assert report(write(tmp_path, {"captions.csv": table, **pictures})) == [
        "captions.csv:3: more/1.png is given no split, while others are "
        "(train/0.png in train, captions.csv:2)"
    ]


def test_a_long_report_is_cut_and_kept_whole_in_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("mine")
    table = "image,caption\n" + "".join(f"{number}.png,c\n" for number in range(SHOWN + 2))
    write(folder, {"captions.csv": table})
    with pytest.raises(InputError, match=rf"^mine has {SHOWN + 2} problems:\n") as caught:
        read(folder)
    lines = str(caught.value).split("\n")
    assert len(lines) == SHOWN + 2
    assert lines[-1] == f"  and 2 more: {FULL_LIST} lists them all"
    listed = (tmp_path / FULL_LIST).read_text().splitlines()
    assert listed[: SHOWN + 1] == lines[:-1]
    assert listed[-1] == f"  captions.csv:{SHOWN + 3}: there is no file '{SHOWN + 1}.png'"


# Where the captions are.


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, r"no captions: 4 images, nothing else\."),
        ({"captions.json": "[]", "sub/captions.csv": GOOD, "a.txt": "a"},
         r"no captions: 4 images, a\.txt, captions\.json, sub/captions\.csv\."),
        ({"captions.csv": GOOD, "Metadata.jsonl": "{}"},
         r"more than one source of captions: Metadata\.jsonl; captions\.csv\."),
        ({"captions.csv": GOOD, "red.txt": "r", "blue.txt": "b"},
         r"more than one source of captions: captions\.csv; blue\.txt, red\.txt\."),
        ({"captions.csv": GOOD, "data/train-00000-of-00001.parquet": ""},
         r"more than one source of captions: captions\.csv; data/train-00000-of-00001\.parquet\."),
        ({"train/captions.csv": GOOD, "train/metadata.csv": GOOD},
         r"more than one source of captions: train/captions\.csv, train/metadata\.csv\."),
        ({f"{number}.parquet": "" for number in range(7)} | {"captions.csv": GOOD},
         r".*; 0\.parquet, 1\.parquet, 2\.parquet, 3\.parquet, 4\.parquet, … \(7 files\)\."),
    ],
)  # fmt: skip
def test_captions_nowhere_or_in_several_places_are_refused(tmp_path, files, found):
    possible = r"\nCaptions are in exactly one of these:\n  captions\.csv, \.tsv, .*(\n  .*){3}"
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))} has {found}{possible}$"):
        read(write(tmp_path, files))


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^datasets\.folder\.path: .*/nowhere is no folder"):
        read(tmp_path / "nowhere")


def test_a_parquet_file_that_got_shorter_meanwhile_is_refused(tmp_path):
    schema = {"image": pa.binary(), "caption": TEXT}
    write_parquet(tmp_path / "captions.parquet", schema, (picture("red"), "r"))
    with pytest.raises(InputError, match=r"captions\.parquet has changed while it was read"):
        list(embedded_images(tmp_path, "captions.parquet", [1, 2]))


def test_a_good_folder_has_no_problem(tmp_path):
    assert len(captions(write(tmp_path, {"captions.csv": GOOD}))) == 3
