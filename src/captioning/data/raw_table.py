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
from captioning.core.splits import shard_paths

#: Number of rows in one Parquet row group, and in memory at a time while reading.
ROW_GROUP = 64
_READ_BUFFER_BYTES = 1 << 20
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
    try:
        # With pre-buffering, PyArrow would load the whole file into memory.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ_BUFFER_BYTES) as file:
            for column in columns or ():
                if column not in file.schema_arrow.names:
                    names = ", ".join(file.schema_arrow.names)
                    raise InputError(f"{path} has no column {column!r}; its columns are {names}")
            for batch in file.iter_batches(ROW_GROUP, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} is damaged ({error}): run `dvc repro --force download`"
        ) from error
