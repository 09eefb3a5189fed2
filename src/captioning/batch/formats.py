"""Write rows as Parquet, JSON Lines or CSV, a few thousand at a time.

The same rows give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from captioning.batch.rows import column_types
from captioning.core.errors import InputError

Rows = list[dict[str, Any]]
#: Suffixes of files that can be written.
SUFFIXES = (".parquet", ".jsonl", ".csv")
# Parquet files are read best if their row groups are not small.
_ROW_GROUP = 1 << 16
# Columns that are lists, and what the columns of their single values are called in CSV files.
_SINGULAR = {"captions": "caption", "log_probabilities": "log_probability"}


def check_suffix(path: Path) -> None:
    """Refuse a file name that does not say in which format to write.

    Raises:
        InputError: its suffix is unknown, or it is a folder.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: captions are written as Parquet, JSON Lines or CSV: give a name that ends in "
            f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the name of a file")


def write_file(path: Path, parts: Iterable[Rows], number: int) -> None:
    """Write the rows of all parts.

    Args:
        path: the file; its suffix chooses the format.
        parts: rows, see `Row.columns`.
        number: captions for each picture, see `column_types`.
    """
    types = column_types(number)
    if path.suffix.lower() == ".parquet":
        _write_parquet(path, parts, types)
        return
    texts = _json_lines(parts, types) if path.suffix.lower() == ".jsonl" else _csv(parts, number)
    with open(path, "wb") as file:
        file.writelines(text.encode() for text in texts)


def _json_lines(parts: Iterable[Rows], types: dict[str, str]) -> Iterator[str]:
    for rows in parts:
        for row in rows:
            yield json.dumps({name: row[name] for name in types}, ensure_ascii=False) + "\n"


def _csv(parts: Iterable[Rows], number: int) -> Iterator[str]:
    """The text of a CSV file, which has columns of its own for each of several captions."""
    names = list(column_types(number))
    if number > 1:
        each = [f"{name}_{k}" for k in range(1, number + 1) for name in _SINGULAR.values()]
        first = names.index(next(iter(_SINGULAR)))
        names[first : first + len(_SINGULAR)] = each
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for rows in chain([[]], parts):  # The header is there even without rows.
        writer.writerows(map(_flat, rows))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row in which each value of a list has a column of its own, counted from 1."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name in _SINGULAR:
            values = enumerate(value or (), start=1)
            flat |= {f"{_SINGULAR[name]}_{rank}": each for rank, each in values}
        else:
            flat[name] = value
    return flat


def _write_parquet(path: Path, parts: Iterable[Rows], types: dict[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {"integer": pa.int64(), "string": pa.string(), "number": pa.float64()}
    arrow |= {"strings": pa.list_(pa.string()), "numbers": pa.list_(pa.float64())}
    schema = pa.schema([(name, arrow[kind]) for name, kind in types.items()])
    with closing(pq.ParquetWriter(path, schema, compression="zstd")) as writer:
        waiting: list[Any] = []
        for rows in parts:
            waiting.append(pa.Table.from_pylist(rows, schema))
            if sum(map(len, waiting)) >= _ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting), _ROW_GROUP)
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting), _ROW_GROUP)
