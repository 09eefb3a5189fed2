"""What every dataset yields, and how it reports what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from captioning.core.splits import SPLITS
from captioning.download.datasets.rejections import Rejections

__all__ = ["SPLITS", "Dataset", "Example", "Rejections", "caption_fault"]


@dataclass(frozen=True)
class Example:
    """One image with its captions.

    Attributes:
        image_id: unique in the dataset, over all splits.
        split: one of `SPLITS`.
        image: the encoded file's bytes.
        captions: as people wrote them.
        extras: values of the dataset's extra columns, by name.
    """

    image_id: str
    split: str
    image: bytes
    captions: tuple[str, ...]
    extras: Mapping[str, object] = field(default_factory=dict)


def caption_fault(trimmed: str) -> str | None:
    """Why a trimmed caption can't be used, as `Rejections` call it; None if it can."""
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
        """Yield every example, split after split; add what is skipped to `rejections`."""
        ...
