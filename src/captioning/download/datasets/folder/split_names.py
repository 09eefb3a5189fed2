"""Names of the splits in columns and in paths."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

#: The splits by the names that are accepted for them.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}  #: Names in Karpathy's split files; Hugging Face's tables of COCO have them too.
MORE_SPLIT_NAMES = {"restval": "train"}

# Files whose names may tell the split of all captions in them.
_CAPTION_SUFFIXES = (".csv", ".json", ".jsonl", ".parquet", ".tar", ".tsv")


@lru_cache(1024)
def split_of_path(name: str) -> str | None:
    """The split that a path names, or None.

    It is the first folder whose name is a split's, or else, for a file of captions, the first such
    word of its name.

    >>> split_of_path("images/Val/1.jpg"), split_of_path("annotations/captions_train2017.json")
    ('validation', 'train')
    """
    path = PurePosixPath(name.lower())
    words = list(path.parent.parts)
    if path.suffix in _CAPTION_SUFFIXES:
        words += re.findall("[a-z]+", path.stem)
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)
