"""Tables with any name and the usual columns: open_clip's, and those of Hugging Face's datasets."""

from __future__ import annotations

import csv
import json
import posixpath
from collections.abc import Iterator
from dataclasses import replace

from captioning.download.datasets.folder.files import FolderFiles, suffix
from captioning.download.datasets.folder.forms.base import Form, enumerated
from captioning.download.datasets.folder.forms.tables import READERS
from captioning.download.datasets.folder.json_tables import read_json_lines
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.rows import Columns, Row, RowError
from captioning.download.datasets.folder.text_lines import first_line

_DELIMITERS = ",\t"
_JSON_LINES = (".jsonl", ".json")


def find_named_tables(files: FolderFiles) -> Form | None:
    """The tables in the folder itself, or in its subfolder `annotations`, with such columns."""
    found = tuple(
        name
        for name in files.visible()
        if posixpath.dirname(name) in ("", "annotations")
        and suffix(name) in (".csv", ".tsv", *_JSON_LINES)
        and _has_captions(first_line(files, name), suffix(name))
    )
    return Form(enumerated(found), found, _read) if found else None


def _has_captions(line: str, kind: str) -> bool:
    """Whether the first line of a table has columns or keys for the image and the captions."""
    if kind in _JSON_LINES:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict) and _are_columns(list(value))
    return any(_are_columns(_cells(line, sign)) for sign in _DELIMITERS)


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line; none if it is not a line of a table."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _are_columns(names: list[str]) -> bool:
    try:
        Columns.find(names)
    except RowError:
        return False
    return True


def _read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    read = READERS.get(suffix(name), read_json_lines)
    for row in read(files.root, name, problems):
        yield replace(row, anywhere=True)
