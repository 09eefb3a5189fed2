"""The raw table: one Parquet row an image, with its original bytes and its captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from captioning.core.errors import InputError
from captioning.core.splits import shard_paths

ROW_GROUP = 64
_READ_AT_ONCE = 1 << 20
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
    """Read the rows of one split, a row group at a time.

    Args:
        folder: of the raw table.
        split: `train`, `validation` or `test`.
        columns: names of the columns to read; None reads all.

    Raises:
        InputError: a shard is missing or damaged, or there is no such column.
    """
    paths = raw_shards(folder, split)
    return chain.from_iterable(read_raw_shard(path, columns) for path in paths)


def raw_shards(folder: Path | str, split: str) -> list[Path]:
    """The shards of one split, in order.

    Raises:
        InputError: there is none, or one of the set is missing.
    """
    return shard_paths(folder, split, "parquet")


def read_raw_shard(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Read the rows of one shard, wherever it lies, a row group at a time.

    Raises:
        InputError: the shard is damaged, or there is no such column.
    """
    try:
        # Buffered ahead, a whole file would come into memory.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ_AT_ONCE) as file:
            for column in columns or ():
                if column not in file.schema_arrow.names:
                    names = ", ".join(file.schema_arrow.names)
                    raise InputError(f"{path} has no column {column!r}; it has {names}")
            for batch in file.iter_batches(ROW_GROUP, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} is damaged ({error}): run `dvc repro --force download`"
        ) from error
