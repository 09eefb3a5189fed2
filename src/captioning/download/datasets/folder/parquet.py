"""Read Parquet files of captions that contain the images or their paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captioning.core.errors import InputError
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Columns, Row, RowError

_BATCH_ROWS = 16


def read_parquet(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a Parquet file, with few of them in memory at a time.

    The image is a path, the bytes of an image file, or a struct of `bytes` and `path`.

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        problems: collects what is wrong with rows or the file.
    """
    try:
        with _open(folder / name) as file:
            names = file.schema_arrow.names
            columns = Columns.find(names)
            # Read only these columns; the others may be large.
            chosen = [names[i] for i in columns.used()]
            columns = Columns.find(chosen)
            number = 0
            for batch in file.iter_batches(_BATCH_ROWS, columns=chosen):
                for record in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    try:
                        yield columns.row(Location(name, number), record)
                    except RowError as error:
                        problems.add(Location(name, number), str(error))
    except RowError as error:
        problems.add(Location(name), str(error))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        problems.add(Location(name), f"cannot be read as Parquet ({error})")


def embedded_images(folder: Path, name: str, rows: Sequence[int]) -> Iterator[bytes]:
    """Yield the images of some rows of a Parquet file.

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        rows: row numbers, from 1, in ascending order.

    Raises:
        InputError: the file has changed since its captions were read.
    """
    wanted = iter(rows)
    row = next(wanted, None)
    number = 0
    with _open(folder / name) as file:
        names = file.schema_arrow.names
        image = names[Columns.find(names).image]
        for batch in file.iter_batches(_BATCH_ROWS, columns=[image]):
            while row is not None and row <= number + len(batch):
                value = batch.column(0)[row - number - 1].as_py()
                yield value["bytes"] if isinstance(value, dict) else value
                row = next(wanted, None)
            if row is None:
                return
            number += len(batch)
    raise InputError(f"{folder / name} changed while it was read: run the stage again")


def _open(path: Path) -> pq.ParquetFile:
    """Open a Parquet file for streaming; by default, all of it would be read in advance."""
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
