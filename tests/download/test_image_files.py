"""Image files are found in folders and archives, by path or by name."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from coco import zipped

from captioning.core.errors import InputError
from captioning.download.sources.image_files import ImageFiles, ImageFolder


def write(folder: Path, *names: str) -> Path:
    """Write files whose content is their name; return the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def test_a_folder_lists_all_files_in_subfolders_except_hidden_ones(tmp_path):
    write(tmp_path, "b/2.jpg", "b/c/3.jpg", "1.png", ".git/4.jpg", "b/._2.jpg")
    assert ImageFolder(tmp_path).names == ["1.png", "b/2.jpg", "b/c/3.jpg"]


def test_links_are_followed_but_not_in_loops(tmp_path):
    write(tmp_path / "elsewhere", "1.jpg")
    folder = write(tmp_path / "folder", "2.jpg")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    assert ImageFolder(folder).names == ["2.jpg", "linked/1.jpg"]
    assert ImageFolder(folder).read("linked/1.jpg", 100) == b"1.jpg"


def test_named_pipes_and_links_to_devices_are_no_files(tmp_path):
    write(tmp_path, "1.jpg")
    os.mkfifo(tmp_path / "2.jpg")
    (tmp_path / "3.jpg").symlink_to("/dev/zero")
    folder = ImageFolder(tmp_path)
    assert folder.names == ["1.jpg"]
    with pytest.raises(InputError, match=r"2\.jpg is a named pipe"):
        folder.read("2.jpg", 5)


@pytest.mark.parametrize(("stored", "listed"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_a_name_in_another_normal_form_is_found(tmp_path, stored, listed):
    name = "café/é.jpg"
    write(tmp_path / "folder", unicodedata.normalize(stored, name))
    zipped(tmp_path / "a.zip", {unicodedata.normalize(stored, "ü.jpg"): b"zipped"})
    with ImageFiles([tmp_path / "folder", tmp_path / "a.zip"]) as files:
        for wanted in (name, "é.jpg", "ü.jpg"):
            assert files.find(unicodedata.normalize(listed, wanted))


def test_of_names_that_differ_in_the_normal_form_alone_the_exact_one_is_found(tmp_path):
    names = [unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")]
    write(tmp_path, *names)
    with ImageFiles([tmp_path]) as files:
        assert [files.find(name).name for name in names] == names


def test_a_file_that_is_too_large_or_missing_is_named(tmp_path):
    folder = ImageFolder(write(tmp_path, "1.jpg"))
    assert folder.read("1.jpg", 5) == b"1.jpg"
    with pytest.raises(InputError, match=r"1\.jpg is larger than the limit of 4 bytes"):
        folder.read("1.jpg", 4)
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(InputError, match=r"1\.jpg cannot be read \(.*No such file"):
        folder.read("1.jpg", 5)


def test_files_are_found_by_path_or_else_by_name(tmp_path):
    write(tmp_path / "folder", "x/train/1.jpg", "val/1.jpg", "2.jpg")
    zipped(tmp_path / "a.zip", {"deep/down/3.jpg": b"three", "__MACOSX/._3.jpg": b""})
    with ImageFiles([tmp_path / "folder", tmp_path / "a.zip"]) as files:
        found = {
            path: file.read()
            for path in ("train/1.jpg", "val/1.jpg", "2.jpg", "train/2.jpg", "down/3.jpg", "3.jpg")
            if (file := files.find(path))
        }
        assert found == {
            "train/1.jpg": b"x/train/1.jpg",
            "val/1.jpg": b"val/1.jpg",
            "2.jpg": b"2.jpg",
            "train/2.jpg": b"2.jpg",
            "down/3.jpg": b"three",
            "3.jpg": b"three",
        }
        assert files.find("4.jpg") is None
        with pytest.raises(InputError, match=r"image 1\.jpg is in two places, .* and .*remove one"):
            files.find("1.jpg")


def test_other_images_are_those_in_the_same_folders(tmp_path):
    write(tmp_path / "folder", "train/1.jpg", "train/2.JPG", "train/notes.txt", "test/3.jpg")
    zipped(tmp_path / "a.zip", {"train/4.jpg": b"", "5.jpg": b""})
    with ImageFiles([tmp_path / "folder", tmp_path / "a.zip"]) as files:
        one, four = files.find("1.jpg"), files.find("4.jpg")
        assert one and four
        assert files.other_images([one]) == ["train/2.JPG"]
        assert files.other_images([four]) == []
        assert files.other_images([]) == []


def test_a_file_that_is_not_a_zip_archive_is_named(tmp_path):
    write(tmp_path, "images.tar.gz")
    with pytest.raises(InputError, match=r"images\.tar\.gz is truncated or not a zip archive"):
        ImageFiles([tmp_path / "images.tar.gz"])
