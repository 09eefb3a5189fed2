"""Tables named `captions` or `metadata`, and Parquet files that contain the images too."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captioning.download.datasets.folder.files import FolderFiles, suffix
from captioning.download.datasets.folder.forms.base import Form, enumerated
from captioning.download.datasets.folder.json_tables import read_json_lines
from captioning.download.datasets.folder.parquet import read_parquet
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.rows import Row
from captioning.download.datasets.folder.split_names import SPLIT_NAMES
from captioning.download.datasets.folder.text_tables import read_delimited

READERS: dict[str, Callable[[Path, str, Problems], Iterator[Row]]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
}
_TABLE = re.compile(rf"(captions|metadata)({'|'.join(map(re.escape, READERS))})", re.IGNORECASE)


def read_table(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a table, by the reader for its suffix."""
    return READERS[suffix(name)](files.root, name, problems)


def find_tables(files: FolderFiles) -> list[Form]:
    """All places in which the folder has such tables: each is a source of captions by itself."""
    visible = files.visible()
    tables = [name for name in visible if _TABLE.fullmatch(posixpath.basename(name))]
    in_splits = [name for name in tables if _is_in_split_folder(name)]
    shards = [name for name in visible if suffix(name) == ".parquet" and name not in tables]
    groups = [[name] for name in tables if "/" not in name]
    folders = [posixpath.dirname(name) for name in in_splits]
    if len(set(folders)) < len(folders):
        # Two tables in one folder are two sources, too.
        groups += [[name] for name in in_splits]
    else:
        groups += [in_splits]
    groups += [[name for name in shards if not _is_log_of_img2dataset(files.root / name)]]
    return [Form(enumerated(group), tuple(group), read_table) for group in groups if group]


def _is_in_split_folder(name: str) -> bool:
    """Whether a file is in a folder with the name of a split."""
    return posixpath.basename(posixpath.dirname(name)).lower() in SPLIT_NAMES


def _is_log_of_img2dataset(path: Path) -> bool:
    """Whether a Parquet file is what img2dataset writes beside each shard: URLs and outcomes."""
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False
    return {"url", "key", "status"} <= set(names) and not {"jpg", "png", "webp"} & set(names)
