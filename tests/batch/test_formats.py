"""Parquet, JSON Lines and CSV hold the same rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from captioning.batch import formats
from captioning.batch.formats import check_suffix, write_file
from captioning.batch.pictures import Picture
from captioning.batch.rows import Row
from captioning.core.errors import InputError

ROWS = [
    Row(Picture(0, 'a, "b".png'), ("a red dog", "a cat"), (-1.5, -2.25)),
    Row(Picture(1, "b.png"), error="b.png: empty image: the file is empty"),
    Row(Picture(2, "ü\udcff.png"), ("ein Hündchen", ""), (-3.0, -4.0)),
]


def written(path: Path, number: int) -> Path:
    rows = [row.columns(number) for row in ROWS]
    write_file(path, iter([rows[:2], rows[2:]]), number)
    return path


def test_one_caption_has_one_column_in_every_format(tmp_path):
    expected = [
        [0, 'a, "b".png', "a red dog", -1.5, None],
        [1, "b.png", None, None, "b.png: empty image: the file is empty"],
        [2, "ü\\xff.png", "ein Hündchen", -3.0, None],
    ]
    names = ["index", "path", "caption", "log_probability", "error"]
    rows = [dict(zip(names, values, strict=True)) for values in expected]
    assert pq.read_table(written(tmp_path / "x.parquet", 1)).to_pylist() == rows
    lines = written(tmp_path / "x.jsonl", 1).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert list(json.loads(lines[0])) == names
    table = pd.read_csv(written(tmp_path / "x.csv", 1))
    assert list(table.columns) == names
    assert table.astype(object).where(table.notna(), None).to_numpy().tolist() == expected


def test_several_captions_are_lists_and_numbered_columns_in_csv(tmp_path):
    table = pq.read_table(written(tmp_path / "x.parquet", 2))
    assert table.column_names == ["index", "path", "captions", "log_probabilities", "error"]
    lines = written(tmp_path / "x.JSONL", 2).read_text(encoding="utf-8").splitlines()
    for rows in (table.to_pylist(), [json.loads(line) for line in lines]):
        assert [row["captions"] for row in rows] == [list(r.captions) or None for r in ROWS]
        assert rows[0]["log_probabilities"] == [-1.5, -2.25]
        assert rows[1]["log_probabilities"] is None
    with open(written(tmp_path / "x.csv", 2), encoding="utf-8", newline="") as file:
        first, second, _ = csv.DictReader(file)
    assert list(first) == [
        "index",
        "path",
        "caption_1",
        "log_probability_1",
        "caption_2",
        "log_probability_2",
        "error",
    ]
    assert (first["caption_2"], first["log_probability_2"]) == ("a cat", "-2.25")
    assert (second["caption_1"], second["error"]) == ("", ROWS[1].error)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_the_same_rows_give_the_same_bytes_however_they_are_split(suffix, tmp_path):
    rows = [row.columns(1) for row in ROWS]
    write_file(tmp_path / f"a{suffix}", iter([rows]), 1)
    write_file(tmp_path / f"b{suffix}", iter([[row] for row in rows]), 1)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_row_groups_collect_several_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_ROW_GROUP", 4)
    part = [row.columns(1) for row in ROWS]
    write_file(tmp_path / "x.parquet", iter([part] * 5), 1)
    metadata = pq.ParquetFile(tmp_path / "x.parquet").metadata
    sizes = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    assert sum(sizes) == 15 and max(sizes) <= 4


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_no_rows_make_a_file_without_rows(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    write_file(path, iter([]), 1)
    text = {".parquet": None, ".jsonl": b"", ".csv": b"index,path,caption,log_probability,error\n"}
    if suffix == ".parquet":
        assert pq.read_table(path).num_rows == 0
    else:
        assert path.read_bytes() == text[suffix]


def test_a_file_name_says_the_format(tmp_path):
    check_suffix(tmp_path / "x.CSV")
    with pytest.raises(InputError, match=r"ends in \.parquet, \.jsonl or \.csv"):
        check_suffix(tmp_path / "x.txt")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=r"folder\.csv is a folder: give the name of a file"):
        check_suffix(tmp_path / "folder.csv")
