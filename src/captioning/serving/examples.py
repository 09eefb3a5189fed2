"""Pictures of the test split, which the model has not been trained on, to try it with."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from captioning.core.errors import InputError
from captioning.data.images.decode import ImageError, decode_image
from captioning.data.images.formats import open_image
from captioning.data.raw_table import read_raw

#: Number of examples.
EXAMPLES = 12
_MAX_BYTES = 8 << 20
# Formats that every browser shows.
_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True)
class Example:
    """A picture with the captions that people gave it.

    Args:
        data: bytes of the image file.
        content_type: its media type.
        references: captions.
    """

    data: bytes
    content_type: str
    references: list[str]


def read_examples(folder: Path) -> list[Example]:
    """The first pictures of the test split.

    Args:
        folder: folder of a raw table, such as `data/raw`.

    Raises:
        InputError: the table has no test split, or it is damaged.
    """
    rows = read_raw(folder, "test", columns=["image", "captions"])
    found = (_example(row["image"], row["captions"]) for row in islice(rows, 4 * EXAMPLES))
    return list(islice(filter(None, found), EXAMPLES))


def examples_beside(model: Path) -> list[Example]:
    """The examples in `raw` beside a model's folder; none if there is no such table."""
    try:
        return read_examples(model.resolve().parent / "raw")
    except InputError:
        return []


def _example(data: bytes, references: list[str]) -> Example | None:
    """An example in a format that browsers show; None if it cannot be one."""
    try:
        image = decode_image(data, "picture")
    except ImageError:
        return None
    content_type = _TYPES.get(open_image(data).format or "")
    if content_type is None:
        file = io.BytesIO()
        image.save(file, "PNG")
        data, content_type = file.getvalue(), "image/png"
    return Example(data, content_type, references) if len(data) <= _MAX_BYTES else None
