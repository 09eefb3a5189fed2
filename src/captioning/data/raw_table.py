"""Read the raw table: Parquet shards with one row per image.

A row holds the original bytes of the image file, its size in pixels and its captions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from captioning.core.errors import InputError
from captioning.core.opening import opening
from captioning.core.splits import shard_paths

#: Number of rows in one Parquet row group, and in memory at a time while reading.
ROW_GROUP = 64
#: Columns of every raw table; some datasets add their own.
COLUMNS = (
    pa.field("image_id", pa.string()),
    pa.field("image", pa.binary()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("captions", pa.list_(pa.string())),
)


def read_raw(
    folder: Path | str,
    split: str,
    columns: Sequence[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Read the rows of one split, one row group at a time.

    Args:
        folder: folder of the raw table.
        split: `train`, `validation` or `test`.
        columns: names of the columns to read; None reads all columns.

    Raises:
        InputError: a shard is missing or damaged, or a column does not exist.
    """
    paths = raw_shards(folder, split)
    return chain.from_iterable(read_raw_shard(path, columns) for path in paths)


def raw_shards(folder: Path | str, split: str) -> list[Path]:
    """Paths of the shards of one split, in order.

    Raises:
        InputError: the split has no shard, or one of its shards is missing.
    """
    return shard_paths(folder, split, "parquet")


def read_raw_shard(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Read the rows of one shard in any folder, one row group at a time.

    Args:
        path: Parquet file of the shard.
        columns: names of the columns to read; None reads all columns.

    Raises:
        InputError: the shard is damaged, or a column does not exist.
    """
    with (
        opening(path),
        # With pre-buffering, PyArrow would load the whole file into memory. Without a read buffer,
        # it loads a column of a row group as a whole; with one, it would first reserve the memory
        # that the header of a page asks for, which a single wrong bit makes gigabytes.
        pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file,
    ):
        _check_columns(path, file.schema_arrow, columns)
        for batch in file.iter_batches(ROW_GROUP, columns=columns):
            _check_values(batch)
            yield from batch.to_pylist()


def _check_columns(path: Path, schema: pa.Schema, columns: Sequence[str] | None) -> None:
    """Check that the columns exist, and that those of every raw table have their types."""
    for column in columns or [field.name for field in COLUMNS]:
        if column not in schema.names:
            names = ", ".join(schema.names)
            raise InputError(f"{path} has no column {column!r}; its columns are {names}")
    for field in COLUMNS:
        if field.name in schema.names and schema.field(field.name).type != field.type:
            raise TypeError(f"column {field.name} is {schema.field(field.name).type}")


def _check_values(batch: pa.RecordBatch) -> None:
    """Check that no value is missing in the columns of every raw table."""
    for field in COLUMNS:
        if field.name in batch.schema.names:
            values = batch.column(field.name)
            if values.null_count or (pa.types.is_list(field.type) and values.flatten().null_count):
                raise ValueError(f"a value in column {field.name} is missing")
