"""Rows of caption files, and the columns that they are made from, independent of the format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from captioning.download.datasets.folder.caption_lists import listed_captions
from captioning.download.datasets.folder.problems import Location
from captioning.download.names import is_unicode

IMAGE_COLUMNS = ("image", "file_name", "filename", "image_path")
#: Other names, of open_clip, Flickr30k, WebDataset and Hugging Face's tables.
MORE_IMAGE_COLUMNS = ("image_name", "image_file", "filepath", "img", "jpg", "jpeg", "png", "webp")
CAPTION_COLUMNS = ("caption", "captions", "text")
#: Names of columns with captions if none is named `caption` or `captions`; the first one counts.
MORE_CAPTION_COLUMNS = ("sentences", "text", "texts", "raw", "prompt", "title", "comment")
_CAPTION = re.compile(r"captions?([ _]?\d+)?")
_MAX_SHOWN_CHARACTERS = 120


class RowError(ValueError):
    """A row or a header that cannot be used; the message says why."""


class Member(NamedTuple):
    """The place of a file in a tar archive.

    Attributes:
        name: name of the file in the archive.
        offset: position of its first byte in the archive.
        size: number of its bytes.
    """

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Row:
    """The content of one row.

    Attributes:
        location: location of the row.
        image: path of the image file, as in the caption file; or bytes of an embedded image, or its
            place in a tar archive.
        captions: captions as in the caption file; may be empty.
        split: split as in the caption file; None if the row has none.
        anywhere: whether the image may be in any folder, not only where its path leads from the
            caption file.
    """

    location: Location
    image: str | bytes | Member
    captions: tuple[str, ...]
    split: str | None
    anywhere: bool = False


@dataclass(frozen=True)
class Columns:
    """The positions of the columns that are used.

    Names are compared without regard to case. The image is in the first of `IMAGE_COLUMNS` and
    `MORE_IMAGE_COLUMNS` that the file has. The captions are in all columns named `caption` or
    `captions`, also with a number (`caption_0`), or else in the first of `MORE_CAPTION_COLUMNS`.
    `split` is optional, and other columns are ignored.

    Attributes:
        image: position of the image's column.
        captions: positions of the captions' columns.
        split: position of the split's column, or None.
    """

    image: int
    captions: tuple[int, ...]
    split: int | None

    @classmethod
    def find(cls, names: Sequence[str]) -> Columns:
        """Find the columns among a file's column names, or a JSON object's keys.

        Raises:
            RowError: no column has the images, or none has captions.
        """
        known = [str(name).strip().lower() for name in names]
        found = ", ".join(map(repr, names))
        image = _first(known, (*IMAGE_COLUMNS, *MORE_IMAGE_COLUMNS))
        captions = [i for i, name in enumerate(known) if _CAPTION.fullmatch(name)]
        if not captions and (other := _first(known, MORE_CAPTION_COLUMNS)) is not None:
            captions = [i for i, name in enumerate(known) if name == known[other]]
        for is_found, what, columns in (
            (image is not None, "image", IMAGE_COLUMNS),
            (bool(captions), "caption", CAPTION_COLUMNS),
        ):
            if not is_found:
                raise RowError(
                    f"no column or key for the {what}: expected {' or '.join(columns)}, "
                    f"found {found}"
                )
        return cls(
            image=image or 0,
            captions=tuple(captions),
            split=known.index("split") if "split" in known else None,
        )

    def used(self) -> list[int]:
        """The positions of all columns that are used, in ascending order."""
        used = {self.image, *self.captions}
        return sorted(used if self.split is None else {*used, self.split})

    def row(self, location: Location, values: Sequence[Any]) -> Row:
        """Make a row from the values of all columns.

        Args:
            location: location of the row.
            values: values by position.

        Raises:
            RowError: a value has the wrong type.
        """
        captions = tuple(text for i in self.captions for text in caption_texts(values[i]))
        return Row(location, _image(values[self.image]), captions, self._split(values))

    def _split(self, values: Sequence[Any]) -> str | None:
        split = None if self.split is None else values[self.split]
        if split is not None and not isinstance(split, str):
            raise RowError(f"the split must be a name, not {shortened(split)}")
        return (split or "").strip() or None


def _first(known: Sequence[str], names: Sequence[str]) -> int | None:
    """The position in `known` of the first of `names` that it contains."""
    return next((known.index(name) for name in names if name in known), None)


def shortened(value: Any) -> str:
    """A value's `repr`, shortened to about one line."""
    text = repr(value)
    if len(text) <= _MAX_SHOWN_CHARACTERS:
        return text
    return f"{text[: _MAX_SHOWN_CHARACTERS - 3]}..."


def _image(value: Any) -> str | bytes:
    """The path or bytes in a cell, which may be a struct of both, Hugging Face's type `Image`."""
    if isinstance(value, dict):
        value = value.get("path") if value.get("bytes") is None else value["bytes"]
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        raise RowError("the row names no image")
    if not isinstance(value, str | bytes):
        raise RowError(f"the image must be a path or an image file's bytes, not {shortened(value)}")
    return value


def caption_texts(value: Any) -> list[str]:
    """The captions in a cell or under a key.

    Args:
        value: a text, which may contain a list; a list of texts; or None.

    Raises:
        RowError: the value has another type, or a text is not valid Unicode.
    """
    if isinstance(value, str):
        try:
            value = listed_captions(value)
        except ValueError as error:
            raise RowError(f"the caption {error}: {shortened(value)}") from None
    texts = [] if value is None else value if isinstance(value, list) else [value]
    # Karpathy's sentences, in Hugging Face's tables of COCO, have the text under `raw`.
    texts = [text.get("raw") if isinstance(text, dict) else text for text in texts]
    for text in texts:
        if not isinstance(text, str):
            raise RowError(f"a caption must be text, not {shortened(text)}")
        if not is_unicode(text):
            raise RowError(f"a caption is not valid Unicode: {shortened(text)}")
    return texts
