"""The interface of a dataset: it yields examples and reports what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from captioning.core.splits import SPLITS
from captioning.download.datasets.rejections import Rejections
from captioning.download.names import is_unicode

__all__ = [
    "FILE_COLUMN",
    "SPLITS",
    "Dataset",
    "Example",
    "Rejections",
    "caption_rejection_reason",
]

#: An extra column: where the image is in the source, while `image_id` may lack folder and suffix.
FILE_COLUMN = pa.field("file", pa.string())


@dataclass(frozen=True)
class Example:
    """One image with its captions.

    Attributes:
        image_id: identifier of the image, unique in the dataset across all splits.
        split: one of `SPLITS`.
        image: bytes of the encoded image file.
        captions: captions as the dataset has them.
        extras: values of the dataset's extra columns, by column name.
    """

    image_id: str
    split: str
    image: bytes
    captions: tuple[str, ...]
    extras: Mapping[str, object] = field(default_factory=dict)


def caption_rejection_reason(trimmed: str) -> str | None:
    """Why a caption cannot be used, as counted by `Rejections`; None if it can be used.

    Args:
        trimmed: caption without leading and trailing white space.
    """
    if not is_unicode(trimmed):
        return "caption that is not valid Unicode"
    if any(character.isalnum() for character in trimmed):
        return None
    return "caption without a word" if trimmed else "empty caption"


class Dataset(Protocol):
    """A source of examples."""

    @property
    def extras(self) -> Sequence[pa.Field]:
        """The columns that this dataset adds to the raw table."""
        ...

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield all examples, those of each split in the order that the raw table gets.

        Args:
            rejections: collects what the dataset leaves out.
        """
        ...
