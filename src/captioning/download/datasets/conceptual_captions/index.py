"""The index files of Conceptual Captions: a caption, a tab and a URL a line; which lines are used.

Files are read line by line. All that is kept of one is eight bytes a URL, to know those that come
again.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import groupby
from pathlib import Path

import numpy as np

from captioning.download.datasets.base import Rejections
from captioning.download.web.outcome_store import Block, Line

# Lines of an index that make one shard.
BLOCK_LINES = 1000
# Longer ones are no captions.
_LINE_LIMIT = 1 << 16
_RECENT = 1 << 16
_SCHEME = re.compile("https?://", re.IGNORECASE)
# A name or address, after a user's name where there is one.
_HOST = re.compile(r"\w+://(?:[^/?#@]*@)?(?:\[[0-9a-fA-F:.]+\]|[^][/?#:@]+)(?:[:/?#]|$)")
_WORD = re.compile(r"[^\W_]")


def fingerprint(text: str) -> int:
    """64 bits of a text's hash: that any two of ten million are the same has odds of 1 : 10⁵."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


class Seen:
    """A set of fingerprints, eight bytes each."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.uint64).data
        self._recent: set[int] = set()

    def add(self, value: int) -> bool:
        """Note a fingerprint; return whether it is new."""
        if value in self:
            return False
        self._recent.add(value)
        if len(self._recent) >= _RECENT:
            both = np.concatenate([self._sorted, np.fromiter(self._recent, np.uint64)])
            both.sort()
            self._sorted = both.data
            self._recent.clear()
        return True

    def __contains__(self, value: int) -> bool:
        if value in self._recent:
            return True
        place = bisect_left(self._sorted, value)
        return place < len(self._sorted) and self._sorted[place] == value


def read_evaluation_index(
    path: Path, test: int, validation: int | None, seen: Seen, rejections: Rejections
) -> Iterator[Line]:
    """Yield the first `test` usable lines as the test split, the next as validation.

    Args:
        path: of the file.
        test: lines of the test split.
        validation: lines of the validation split; None takes all.
        seen: every URL of the file is added, used or not.
        rejections: what is skipped on the way is added.
    """
    taken = 0
    for number, caption, url, fault in _parse(path):
        if fault is None and not seen.add(fingerprint(url)):
            fault = "URL repeated in the index"
        if validation is not None and taken >= test + validation:
            continue
        if fault is not None:
            rejections.add(fault, f"{path.name} line {number}")
            continue
        yield Line(number, url, caption, "test" if taken < test else "validation")
        taken += 1


def read_training_index(
    path: Path, train: int | None, evaluation: Seen, rejections: Rejections
) -> Iterator[Line]:
    """Yield the first `train` usable lines, all for None, whose URL is not in `evaluation`."""
    taken = 0
    seen = Seen()
    for number, caption, url, fault in _parse(path):
        if taken == train:
            return
        if fault is None:
            value = fingerprint(url)
            if value in evaluation:
                fault = "training URL that the validation index has too"
            elif not seen.add(value):
                fault = "URL repeated in the index"
        if fault is not None:
            rejections.add(fault, f"{path.name} line {number}")
            continue
        yield Line(number, url, caption, "train")
        taken += 1


def in_blocks(lines: Iterable[Line]) -> Iterator[Block]:
    """Group lines by their place in the file, so that another slice has the same blocks."""
    for number, group in groupby(lines, lambda line: (line.number - 1) // BLOCK_LINES):
        yield Block(number, tuple(group))


def _parse(path: Path) -> Iterator[tuple[int, str, str, str | None]]:
    """Yield number, caption, URL and what is wrong of every line that is not blank."""
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(_LINE_LIMIT):
            number += 1
            if len(line) == _LINE_LIMIT and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(_LINE_LIMIT)
                yield number, "", "", "malformed index line"
            elif line.strip():
                yield number, *_fields(line)


def _fields(line: bytes) -> tuple[str, str, str | None]:
    """Caption, URL and what is wrong of one line."""
    try:
        fields = [field.strip() for field in line.decode("utf-8-sig").split("\t")]
    except UnicodeDecodeError:
        return "", "", "index line that is not UTF-8"
    if len(fields) != 2:
        return "", "", "malformed index line"
    caption, url = fields
    if not url:
        return "", "", "index line without a URL"
    if not _SCHEME.match(url):
        return "", "", "URL that is neither http nor https"
    if not _HOST.match(url):
        return "", "", "malformed URL"
    if not _WORD.search(caption):
        return "", "", "caption without a word"
    return caption, url, None
