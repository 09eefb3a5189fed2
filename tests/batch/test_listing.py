"""What folders, lists and names lead to, in which order, and what is said of the others."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from captioning.batch import folders, listing
from captioning.batch.folders import Skipped
from captioning.batch.listing import check_names, expand, list_pictures, names_in
from captioning.batch.pictures import Listed
from captioning.core.errors import InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def paths(name: Path | str, recursive: bool = False, base: Path | None = None) -> list[str]:
    found = list(expand(str(name), recursive))
    assert not [one.error for one in found if one.error]
    return [os.path.relpath(one.path, base or name) for one in found]


def errors(name: Path | str, recursive: bool = False) -> list[str]:
    return [one.error for one in expand(str(name), recursive) if one.error]


def test_a_folder_is_read_in_the_order_of_names_and_subfolders_come_after(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "c.txt", "sub/z.jpg", "sub/deep/y.webp", "Sub/x.gif")
    assert paths(tmp_path) == ["a.png", "b.JPG"]
    expected = ["a.png", "b.JPG", "Sub/x.gif", "sub/z.jpg", "sub/deep/y.webp"]
    assert paths(tmp_path, recursive=True) == expected


def test_hidden_files_and_other_files_are_left_out_and_counted(tmp_path):
    touch(tmp_path, "a.png", "._a.png", "notes.txt", ".git/object.png")
    skipped = Skipped()
    found = list(list_pictures([str(tmp_path)], True, skipped))
    assert found == [Listed(f"{tmp_path}/a.png")]
    assert skipped.number == 2


def test_a_hidden_file_that_is_named_is_taken(tmp_path):
    touch(tmp_path, ".a.png")
    assert list(expand(f"{tmp_path}/.a.png")) == [Listed(f"{tmp_path}/.a.png")]


def test_links_in_a_circle_are_followed_once_and_said(tmp_path):
    touch(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a/to_b").symlink_to("../b")
    (tmp_path / "b/to_a").symlink_to("../a")
    (tmp_path / "self").symlink_to("self")
    found = list(expand(str(tmp_path), recursive=True))
    good = [os.path.relpath(one.path, tmp_path) for one in found if not one.error]
    assert good == ["a/1.png", "a/to_b/2.png"]
    bad = [(os.path.relpath(one.path, tmp_path), one.error) for one in found if one.error]
    assert [name for name, _ in bad] == ["a/to_b/to_a", "b"]
    assert all("leads to a folder that is read already" in error for _, error in bad)


def test_a_folder_that_cannot_be_read_is_said_and_the_others_are_read(tmp_path, monkeypatch):
    touch(tmp_path, "closed/1.png", "open/2.png")
    scandir = os.scandir

    def refused(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(folders.os, "scandir", refused)
    found = list(expand(str(tmp_path), recursive=True))
    assert [one.error for one in found] == [
        f"{tmp_path}/closed cannot be read (Permission denied)",
        "",
    ]
    assert found[1].path == f"{tmp_path}/open/2.png"


def test_a_folder_with_pictures_in_subfolders_only_says_so(tmp_path):
    touch(tmp_path, "sub/deep/y.webp", "notes.txt")
    (error,) = errors(tmp_path)
    assert error == (
        f"{tmp_path} contains image files in its subfolders only: --recursive reads these too"
    )
    assert not errors(tmp_path, recursive=True)


@pytest.mark.parametrize(("recursive", "where"), [(False, ""), (True, " and its subfolders")])
def test_a_folder_without_pictures_says_what_is_a_picture(tmp_path, recursive, where):
    touch(tmp_path, "notes.txt", "sub/notes.txt", "sub/.hidden.png")
    (error,) = errors(tmp_path, recursive)
    verb = "contain" if recursive else "contains"
    assert error.startswith(f"{tmp_path}{where} {verb} no image file (.avif, .bmp,")


def test_a_folder_named_like_a_picture_is_a_folder(tmp_path):
    touch(tmp_path, "a.jpg/1.png", "2.png")
    assert paths(tmp_path) == ["2.png"]
    assert paths(tmp_path, recursive=True) == ["2.png", "a.jpg/1.png"]


def test_what_is_no_file_is_said_when_it_is_listed(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    for name, reason in {
        "pipe.jpg": "is a named pipe, not a file",
        "dangling.jpg": "cannot be read (No such file or directory)",
        "missing.jpg": "cannot be read (No such file or directory)",
        "x" * 300: "cannot be read (File name too long)",
        "nul\0.jpg": "cannot be read (embedded null byte)",
        "\ud800.jpg": "cannot be read ('utf-8' codec can't encode",
    }.items():
        (error,) = errors(f"{tmp_path}/{name}")
        assert reason in error and "\n" not in error


def test_names_that_are_not_utf_8_are_listed(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.png"
    Path(os.fsdecode(name)).touch()
    (found,) = expand(str(tmp_path))
    assert os.fsencode(found.path) == name and not found.error


# Lists.


def test_a_list_has_a_name_on_each_line(tmp_path):
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbfa b.png\r\n\n\xff.png\nhttps://x.org/1")
    names = list(names_in(str(tmp_path / "list")))
    assert [os.fsencode(name) for name in names] == [b"a b.png", b"\xff.png", b"https://x.org/1"]


def test_a_list_is_read_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.png\nb.png\n")))
    assert list(names_in("-")) == ["a.png", "b.png"]


def test_a_file_that_is_no_list_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(bytes(100_000))
    with pytest.raises(InputError, match=r"a\.jpg: line 1 is too long for a path or URL"):
        list(names_in(str(tmp_path / "a.jpg")))
    with pytest.raises(InputError, match=r"the list .*missing cannot be read \(No such file"):
        list(names_in(str(tmp_path / "missing")))


@pytest.mark.parametrize(
    ("names", "lists", "output", "message"),
    [
        (["-", "-"], [], None, "can be read once only"),
        (["-"], ["-"], None, "can be read once only"),
        (["-"], [], Path("x.csv"), "cannot be read again after an interruption: save it as a file"),
    ],
)
def test_standard_input_is_read_once(names, lists, output, message):
    with pytest.raises(InputError, match=message):
        check_names(names, lists, output)
    check_names(["-"], [], None)
    check_names([], ["-"], Path("x.csv"))


def test_a_long_line_of_a_list_is_still_read(tmp_path):
    name = "x" * (listing._MAX_LINE_BYTES - 2)
    (tmp_path / "list").write_text(f"{name}\nb.png\n")
    assert list(names_in(str(tmp_path / "list"))) == [name, "b.png"]
