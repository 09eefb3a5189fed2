"""Lists of any length: sorted and kept in files, not in memory."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from captioning.batch import sorted_names as module
from captioning.batch.pictures import Listed, Picture, PictureList, nul_separated, readable
from captioning.batch.sorted_names import sorted_names


def test_a_list_gives_back_what_was_put_in():
    listed = [
        Listed("a.png"),
        Listed(os.fsdecode(b"\xff\n.png")),
        Listed("folder", "folder is empty, \udcff and ü"),
        Listed("https://example.org/1"),
    ]
    pictures = PictureList(listed)
    expected = [Picture(index, *one) for index, one in enumerate(listed)]
    assert list(pictures) == expected and list(pictures) == expected
    assert pictures.number == 4 and pictures.any_url


def test_the_checksum_depends_on_every_name_and_their_order():
    lists = (["a", "b"], ["b", "a"], ["a"], ["ab"], ["a", "b", "c"])
    sums = {PictureList(map(Listed, names)).sha256 for names in lists}
    assert len(sums) == len(lists)
    assert PictureList([Listed("a")]).sha256 == PictureList([Listed("a")]).sha256


@pytest.mark.parametrize("number", [0, 6, 7, 8, 14, 100])
def test_any_number_of_names_is_sorted(number, monkeypatch):
    monkeypatch.setattr(module, "NAMES_IN_MEMORY", 7)
    names = [f"{(k * 37) % 101:03d}\n".encode() + b"\xff" for k in range(number)]
    assert list(sorted_names(iter(names))) == sorted(names)


@pytest.mark.slow
def test_a_million_names_take_no_more_memory_than_a_few(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "NAMES_IN_MEMORY", 50_000)
    names = (f"{(k * 7919) % 1_000_003:09d}.jpg".encode() for k in range(1_000_000))
    tracemalloc.start()
    try:
        pictures = PictureList(Listed(name.decode()) for name in sorted_names(names))
        first = next(iter(pictures))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert pictures.number == 1_000_000 and first == Picture(0, "000000000.jpg")
    # As Python objects, the names alone would take 46 MB, and a list of pictures 150.
    assert peak < 20 << 20


def test_records_are_found_across_blocks(tmp_path):
    records = [b"x" * length for length in (0, 1, 65_535, 65_536, 200_000, 3)]
    (tmp_path / "file").write_bytes(b"".join(record + b"\0" for record in records))
    with open(tmp_path / "file", "rb") as file:
        assert list(nul_separated(file)) == records


def test_a_path_that_is_not_utf_8_can_be_written():
    assert readable(os.fsdecode(b"a/\xff\xfe/\xc3\xbc.png")) == "a/\\xff\\xfe/ü.png"
