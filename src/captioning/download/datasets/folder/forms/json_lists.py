"""JSON lists of images with captions, as LAVIS has them: `coco_karpathy_train.json` and others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from captioning.download.datasets.folder.files import FolderFiles
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.forms.json_files import json_files
from captioning.download.datasets.folder.json_tables import read_json_array
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.rows import Columns, Row, RowError

_HEAD_CHARACTERS = 1 << 16


def find_json_lists(files: FolderFiles) -> Form | None:
    """The JSON files with a list whose first item has an image and captions."""
    found = [name for name in json_files(files, "[{") if _has_captions(files, name)]
    return Form("JSON lists, as LAVIS has them", tuple(found), _read) if found else None


def _has_captions(files: FolderFiles, name: str) -> bool:
    """Whether the first item of a list has the keys of a row."""
    with open(files.root / name, encoding="utf-8-sig", errors="replace") as file:
        head = file.read(_HEAD_CHARACTERS)
    try:
        first, _ = json.JSONDecoder().raw_decode(head, head.index("{"))
        Columns.find(list(first))
    except (RowError, ValueError, RecursionError):
        return False
    return True


def _read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of one list; the images are found by their paths below any folder."""
    for row in read_json_array(files.root, name, problems):
        yield replace(row, anywhere=True)
