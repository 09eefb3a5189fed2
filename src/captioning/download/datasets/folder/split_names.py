"""Names of the splits in columns and in paths."""

from __future__ import annotations

import re
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
}


def split_of_path(name: str) -> str | None:
    """The split that a path names, or None.

    It is the first folder whose name is a split's, or else, for a Parquet file, the first such word
    of its name.

    >>> split_of_path("images/Val/1.jpg"), split_of_path("data/test-00000-of-00001.parquet")
    ('validation', 'test')
    """
    path = PurePosixPath(name.lower())
    words = list(path.parent.parts)
    if path.suffix == ".parquet":
        words += re.split(r"[-._]", path.stem)
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)
