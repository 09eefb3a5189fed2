"""Reading Parquet: captions with paths of images, or with the images themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captioning.core.errors import InputError
from captioning.download.datasets.folder.problems import Place, Problems
from captioning.download.datasets.folder.rows import Columns, Row, RowError

_BATCH = 16


def read_parquet(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Read a Parquet file, few rows in memory at a time.

    The image is a path, an encoded image's bytes, or a struct of `bytes` and `path`.
    """
    try:
        with _open(folder / name) as file:
            names = file.schema_arrow.names
            columns = Columns.find(names)
            # Only these columns are read; the others may be large.
            chosen = [names[i] for i in columns.used()]
            columns = Columns.find(chosen)
            number = 0
            for batch in file.iter_batches(_BATCH, columns=chosen):
                for record in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    try:
                        yield columns.row(Place(name, number), record)
                    except RowError as error:
                        problems.add(Place(name, number), str(error))
    except RowError as error:
        problems.add(Place(name), str(error))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        problems.add(Place(name), f"can't be read as Parquet ({error})")


def embedded_images(folder: Path, name: str, rows: Sequence[int]) -> Iterator[bytes]:
    """Read again the images that stand in some rows, numbered from 1, in ascending order.

    Raises:
        InputError: the file is not what it was when its captions were read.
    """
    wanted = iter(rows)
    row = next(wanted, None)
    number = 0
    with _open(folder / name) as file:
        names = file.schema_arrow.names
        image = names[Columns.find(names).image]
        for batch in file.iter_batches(_BATCH, columns=[image]):
            while row is not None and row <= number + len(batch):
                value = batch.column(0)[row - number - 1].as_py()
                yield value["bytes"] if isinstance(value, dict) else value
                row = next(wanted, None)
            if row is None:
                return
            number += len(batch)
    raise InputError(f"{folder / name} has changed while it was read: run again")


def _open(path: Path) -> pq.ParquetFile:
    """Open a Parquet file to stream it; by default all of it would be fetched beforehand."""
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
