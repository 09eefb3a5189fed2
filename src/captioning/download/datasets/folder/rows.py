"""From the columns of a caption file, whatever its format, to rows of the same kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from captioning.download.datasets.folder.problems import Place

IMAGE_COLUMNS = ("image", "file_name", "filename", "image_path")
CAPTION_COLUMNS = ("caption", "captions", "text")


class RowError(ValueError):
    """A row, or a file's header, that can't be used; the message says why."""


@dataclass(frozen=True)
class Row:
    """What one row says.

    Attributes:
        place: where it stands.
        image: the path of an image file, as written; or an encoded image's bytes.
        captions: as written; maybe none.
        split: as written; None where none is given.
    """

    place: Place
    image: str | bytes
    captions: tuple[str, ...]
    split: str | None


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, by their numbers.

    The names are compared without regard to case. The image is in the first of `IMAGE_COLUMNS`
    that is there, the captions in all columns named `caption` or `captions`, else in `text`;
    `split` is optional; all others are left alone.
    """

    image: int
    captions: tuple[int, ...]
    lists: tuple[int, ...]
    split: int | None

    @classmethod
    def find(cls, names: Sequence[str]) -> Columns:
        """Find them among a file's column names.

        Raises:
            RowError: there is none of images or of captions.
        """
        known = [str(name).strip().lower() for name in names]
        listed = ", ".join(map(repr, names))
        image = next((known.index(name) for name in IMAGE_COLUMNS if name in known), None)
        captions = [i for i, name in enumerate(known) if name in ("caption", "captions")]
        captions = captions or [i for i, name in enumerate(known) if name == "text"]
        for found, what, columns in (
            (image is not None, "image", IMAGE_COLUMNS),
            (bool(captions), "caption", CAPTION_COLUMNS),
        ):
            if not found:
                raise RowError(f"no {what}: expected {' or '.join(columns)}, found {listed}")
        return cls(
            image=image or 0,
            captions=tuple(captions),
            lists=tuple(i for i in captions if known[i] == "captions"),
            split=known.index("split") if "split" in known else None,
        )

    def used(self) -> list[int]:
        """The numbers of all of them, ascending."""
        used = {self.image, *self.captions}
        return sorted(used if self.split is None else {*used, self.split})

    def row(self, place: Place, values: Sequence[Any]) -> Row:
        """Make a row of its values.

        Raises:
            RowError: a value is of another type than it must be.
        """
        captions = tuple(text for i in self.captions for text in _captions(values[i]))
        return Row(place, _image(values[self.image]), captions, self._split(values))

    def _split(self, values: Sequence[Any]) -> str | None:
        split = None if self.split is None else values[self.split]
        if split is not None and not isinstance(split, str):
            raise RowError(f"a split is a name, not {short(split)}")
        return (split or "").strip() or None


def listed_captions(cell: str) -> Any:
    """A cell of a text table's column `captions`: a JSON list, or else one caption.

    Raises:
        RowError: it begins as a list and is none.
    """
    if not cell.lstrip().startswith("["):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        raise RowError(f"captions begin with [ but are no JSON list: {short(cell)}") from None


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogate: JSON's \\ud800, a byte that is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def short(value: Any) -> str:
    """A value as Python writes it, cut to a line's length."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _image(value: Any) -> str | bytes:
    """A path or bytes, out of a path, bytes, or the struct that Hugging Face's `Image` is."""
    if isinstance(value, dict):
        value = value.get("path") if value.get("bytes") is None else value["bytes"]
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        raise RowError("names no image")
    if not isinstance(value, str | bytes):
        raise RowError(f"an image is a path or an image's bytes, not {short(value)}")
    return value


def _captions(value: Any) -> list[str]:
    """Texts out of a text, a list of them, or nothing."""
    texts = [] if value is None else value if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str):
            raise RowError(f"a caption is a text, not {short(text)}")
        if not is_unicode(text):
            raise RowError(f"a caption is not valid Unicode: {short(text)}")
    return texts
