"""Folders of small images with captions, like those of users."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.folder import Folder
from captioning.params.datasets import FolderParams

COLOURS = ("red", "green", "blue", "white")
HF_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(colour: str | tuple[int, int, int], form: str = "PNG") -> bytes:
    """An encoded image of one color."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(file, form)
    return file.getvalue()


def numbered(number: int) -> bytes:
    """An encoded image that differs from the images of all other numbers."""
    return picture((number % 256, number // 256, 7))


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, and an image for each of `COLOURS`; return the folder."""
    pictures = {f"{colour}.png": picture(colour) for colour in COLOURS}
    for name, content in {**pictures, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def write_parquet(path: Path, schema: Mapping[str, pa.DataType], *rows: tuple[object, ...]) -> Path:
    """Write rows as a Parquet file; return its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(
        [dict(zip(schema, row, strict=True)) for row in rows], pa.schema(list(schema.items()))
    )
    pq.write_table(table, path, row_group_size=2)
    return path.parent


def read(folder: Path, **params: object) -> tuple[list[Example], dict[str, list[str]]]:
    """The examples of a folder, and the names of what was rejected, by reason."""
    values = {"seed": 1, "validation_share": 0.1, "test_share": 0.1, **params}
    rejections = Rejections()
    examples = list(Folder(FolderParams(path=str(folder), **values)).examples(rejections))
    return examples, rejections.listed_names()


def captions(folder: Path) -> dict[str, tuple[str, ...]]:
    """The captions by `image_id`; only images without captions may be rejected."""
    examples, rejected = read(folder)
    assert set(rejected) <= {"image without captions"}, rejected
    return {example.image_id: example.captions for example in examples}


def splits(folder: Path, **params: object) -> dict[str, str]:
    """The split of each `image_id`."""
    return {example.image_id: example.split for example in read(folder, **params)[0]}
