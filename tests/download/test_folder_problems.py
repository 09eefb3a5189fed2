"""All problems of a folder of the user's own images are in one report."""

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
from captioning.download.datasets.folder.problems import FULL_LIST, MAX_SHOWN

TEXT = pa.string()
GOOD = "image,caption\nred.png,r\ngreen.png,g\nblue.png,b\n"


def report(folder: Path) -> list[str]:
    """The lines of the report on a folder, without the heading."""
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
        "captions.csv:5: there is no file 'missing.png'; did you mean 'sub/missing.png'?",
        "captions.csv:6: 4 fields instead of 3: put a field that contains ',' in double quotes",
        "captions.csv:7: only 1 of 3 fields",
        "captions.csv:9: malformed from here to line 9 (',' expected after '\"'): put a field that "
        "contains double quotes in double quotes, and double the quotes inside",
        "captions.csv:10: unknown split 'eval': expected one of train, training, validation, val, "
        "valid, dev, test, testing",
        "captions.csv:11: the row names no image",
        "captions.csv:12: '../outside.png' leads outside the folder",
        "captions.csv:13: '/etc/hosts' leads outside the folder",
        "captions.csv:14: red.png is in test here, but in train in captions.csv:2",
        "captions.csv:15: 'sub' is a folder",
        "captions.csv:16: blue.png has no split, but other images have one "
        "(red.png is in train, see captions.csv:2)",
        "captions.csv:17: malformed from here to line 18 (unexpected end of data): put a field "
        "that contains double quotes in double quotes, and double the quotes inside",
    ]


def test_invalid_json_lines_are_listed(tmp_path):
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
        "is not valid JSON (Expecting value at column 32)",
        "is not a JSON object",
        "no column or key for the image: expected image or file_name or filename or image_path, "
        "found 'file', 'caption'",
        "no column or key for the caption: expected caption or captions or text, found 'image'",
        "the image must be a path or an image file's bytes, not 7",
        "a caption must be text, not 7",
        "a caption must be text, not ['not']",
        "a caption is not valid Unicode: 'half a sign: \\ud83d'",
        "is not UTF-8: save the file in that encoding",
        "the split must be a name, not 0",
        "the row names no image",
        "the row names no image",
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "captions.csv: has no header line"),
        (
            "image,label\nred.png,x\n",
            "captions.csv:1: no column or key for the caption: .*, found 'image', 'label'",
        ),
        (
            "red.png,Red\n",
            "captions.csv:1: no column or key for the image: .*, found 'red.png', 'Red'",
        ),
        (
            "image;caption\nred.png;x\n",
            "captions.csv:1: .*: separate the columns by ',', not by ';'",
        ),
        (
            "image,captions\nred.png,['a'\n",
            "captions.csv:2: the caption begins like a list, but is neither a JSON nor a Python",
        ),
        ("image,caption\nred.png,é\n".encode("cp1252"), "captions.csv:2: is not UTF-8: save the"),
        ("image,caption\nred.png,x\n".encode("utf-16"), "captions.csv:1: is not UTF-8: save the"),
    ],
)
def test_invalid_tables_are_one_problem(tmp_path, table, problem):
    (line,) = report(write(tmp_path, {"captions.csv": table}))
    assert re.match(problem, line)


def test_a_json_lines_file_in_utf_16_is_one_problem(tmp_path):
    write(tmp_path, {"captions.jsonl": '{"image": "a"}\n{"image": "a"}\n'.encode("utf-16")})
    assert report(tmp_path) == ["captions.jsonl:1: is not UTF-8: save the file in that encoding"]


def test_problems_in_parquet_are_listed_by_row(tmp_path):
    rows = [("red.png", 1), ("gone.png", 2), (None, 3), ("red.png", None)]
    write_parquet(tmp_path / "captions.parquet", {"image": TEXT, "caption": pa.int64()}, *rows)
    assert report(write(tmp_path, {})) == [
        "captions.parquet:1: a caption must be text, not 1",
        "captions.parquet:2: a caption must be text, not 2",
        "captions.parquet:3: a caption must be text, not 3",
    ]


def test_an_invalid_parquet_file_and_a_missing_column_are_problems(tmp_path):
    write(tmp_path, {"train/captions.parquet": b"PAR1 not"})
    write_parquet(tmp_path / "test/captions.parquet", {"image": TEXT}, ("red.png",))
    first, second = report(tmp_path)
    assert first == (
        "test/captions.parquet: no column or key for the caption: expected caption or captions or "
        "text, found 'image'"
    )
    assert re.match(r"train/captions\.parquet: cannot be read as Parquet \(.+\)", second)


def test_parquet_text_that_is_not_utf_8_is_a_problem(tmp_path):
    names = pa.array([b"red.png"]).cast(TEXT)
    words = pa.Array.from_buffers(TEXT, 1, pa.array([b"caf\xe9"]).buffers())
    table = pa.table({"image": names, "caption": words})
    pq.write_table(table, write(tmp_path, {}) / "captions.parquet")
    (line,) = report(tmp_path)
    assert line.startswith(
        "captions.parquet: cannot be read as Parquet ('utf-8' codec can't decode"
    )


def test_a_file_in_another_folder_or_case_is_suggested(tmp_path):
    table = f"image,caption\nRED.PNG,r\n{'x' * 300}.png,x\n"
    assert report(write(tmp_path, {"captions.csv": table})) == [
        "captions.csv:2: there is no file 'RED.PNG'; did you mean 'red.png'?",
        f"captions.csv:3: there is no file '{'x' * 116}...",
    ]


def test_what_is_there_instead_of_a_file_is_said(tmp_path):
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    table = ["linked/deep/1.png", "pipe.png", "dangling.png", "../mine/red.png", "../red.png"]
    table += [f"{folder}/red.png", f"{folder}/sub/../green.png", f"{elsewhere}/1.png"]
    lines = "".join(f"{name},x\n" for name in table)
    write(folder, {"captions.csv": f"image,caption\n{lines}"})
    write(elsewhere, {"deep/1.png": picture("gold")})
    (folder / "linked").symlink_to(elsewhere)
    (folder / "dangling.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "pipe.png")
    moved = "depends on where the folder is: write"
    assert [line.partition(": ")[2] for line in report(folder)] == [
        "'linked/deep/1.png' is in a linked folder, and DVC would not notice changes in it: "
        "replace the link 'linked' by the folder itself",
        "'pipe.png' is not a regular file",
        "'dangling.png' is a link to a file that does not exist",
        f"'../mine/red.png' {moved} 'red.png', relative to the caption file",
        "'../red.png' leads outside the folder",
        f"'{folder}/red.png' {moved} 'red.png', relative to the caption file",
        f"'{folder}/sub/../green.png' {moved} 'green.png', relative to the caption file",
        f"'{elsewhere}/1.png' leads outside the folder",
    ]


def test_an_absolute_path_through_a_link_to_the_folder_is_inside(tmp_path):
    write(tmp_path / "mine", {"train/captions.csv": f"image,caption\n{tmp_path}/mine/red.png,x\n"})
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    (line,) = report(tmp_path / "link")
    assert line.endswith("write '../red.png', relative to the caption file")


def test_a_folder_of_links_to_folders_says_that_they_are_not_followed(tmp_path):
    write(tmp_path / "elsewhere", {"red.txt": "red"})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"links to folders are not followed, .*: linked\)"):
        read(tmp_path / "mine")


def test_problems_in_text_files_are_listed(tmp_path):
    texts = {"red.txt": b"fine\ncaf\xe9\n", "green.txt": "g", "green.jpg": picture("green", "JPEG")}
    assert report(write(tmp_path, texts)) == [
        "green.txt: is next to more than one image: green.jpg, green.png",
        "red.txt:2: is not UTF-8: save the file in that encoding",
    ]


def test_images_that_cannot_be_read_are_listed(tmp_path):
    folder = write(tmp_path, {"captions.csv": GOOD + "link.png,l\n"})
    (folder / "link.png").symlink_to("/proc/self/mem")
    assert report(folder) == ["captions.csv:5: link.png cannot be read (Input/output error)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all files")
def test_files_without_read_permission_are_listed_with_the_other_problems(tmp_path):
    folder = write(tmp_path, {"captions.csv": GOOD + "gone.png,g\n"})
    (folder / "red.png").chmod(0)
    assert report(folder) == [
        "captions.csv:2: red.png cannot be read: check its permissions",
        "captions.csv:5: there is no file 'gone.png'",
    ]
    (folder / "captions.csv").chmod(0)
    assert report(folder) == ["captions.csv: cannot be read (Permission denied)"]


def test_splits_named_by_some_of_the_folders_only_are_a_problem(tmp_path):
    pictures = {f"{folder}/{n}.png": picture("gold") for n, folder in enumerate(("train", "more"))}
    table = "image,caption\n" + "".join(f"{name},c\n" for name in pictures)
    assert report(write(tmp_path, {"captions.csv": table, **pictures})) == [
        "captions.csv:3: more/1.png has no split, but other images have one "
        "(train/0.png is in train, see captions.csv:2)"
    ]


def test_a_long_report_is_shortened_and_written_in_full_to_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("mine")
    table = "image,caption\n" + "".join(f"{number}.png,c\n" for number in range(MAX_SHOWN + 2))
    write(folder, {"captions.csv": table})
    with pytest.raises(InputError, match=rf"^mine has {MAX_SHOWN + 2} problems:\n") as caught:
        read(folder)
    lines = str(caught.value).split("\n")
    assert len(lines) == MAX_SHOWN + 2
    assert lines[-1] == f"  and 2 more: {FULL_LIST} lists them all"
    listed = (tmp_path / FULL_LIST).read_text().splitlines()
    assert listed[: MAX_SHOWN + 1] == lines[:-1]
    assert listed[-1] == f"  captions.csv:{MAX_SHOWN + 3}: there is no file '{MAX_SHOWN + 1}.png'"


# The source of the captions.


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, r"no captions; it contains 4 images and nothing else\."),
        ({"captions.json": "[]", "sub/captions.csv": GOOD, "a.txt": "a"},
         r"no captions; it contains 4 images and a\.txt, captions\.json, sub/captions\.csv\."),
        ({"captions.csv": GOOD, "Metadata.jsonl": "{}"},
         r"more than one source of captions: Metadata\.jsonl; captions\.csv\."),
        ({"captions.csv": GOOD, "red.txt": "r", "blue.txt": "b"},
         r"more than one source of captions: captions\.csv; blue\.txt, red\.txt\."),
        ({"captions.csv": GOOD, "data/train-00000-of-00001.parquet": ""},
         r"more than one source of captions: captions\.csv; data/train-00000-of-00001\.parquet\."),
        ({"train/captions.csv": GOOD, "train/metadata.csv": GOOD},
         r"more than one source of captions: train/captions\.csv; train/metadata\.csv\."),
        ({f"{number}.parquet": "" for number in range(7)} | {"captions.csv": GOOD},
         r".*; 0\.parquet, 1\.parquet, 2\.parquet, 3\.parquet, 4\.parquet, … \(7 files\)\."),
    ],
)  # fmt: skip
def test_missing_captions_and_several_sources_of_captions_are_refused(tmp_path, files, found):
    possible = (
        r"\nPut the captions in exactly one of these places:\n  captions\.csv, \.tsv, .*(\n  .*){4}"
    )
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))} has {found}{possible}$"):
        read(write(tmp_path, files))


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^datasets\.folder\.path: .*/nowhere is not a folder"):
        read(tmp_path / "nowhere")


def test_a_parquet_file_that_became_shorter_is_refused(tmp_path):
    schema = {"image": pa.binary(), "caption": TEXT}
    write_parquet(tmp_path / "captions.parquet", schema, (picture("red"), "r"))
    with pytest.raises(InputError, match=r"captions\.parquet changed while it was read"):
        list(embedded_images(tmp_path, "captions.parquet", [1, 2]))


def test_a_good_folder_has_no_problem(tmp_path):
    assert len(captions(write(tmp_path, {"captions.csv": GOOD}))) == 3
