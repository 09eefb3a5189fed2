"""Read the index files of Conceptual Captions and select the lines that are used.

Each line of an index is a caption, a tab and a URL. The files are read line by line; only eight
bytes per URL are kept in memory, to recognize URLs that occur again.
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

#: Number of lines of an index that are fetched as one shard.
BLOCK_LINES = 1000
# Longer lines are not captions, and are rejected.
_MAX_LINE_BYTES = 1 << 16
_MAX_UNSORTED = 1 << 16
_SCHEME = re.compile("https?://", re.IGNORECASE)
# A host name or address, possibly after a user name.
_HOST = re.compile(r"\w+://(?:[^/?#@]*@)?(?:\[[0-9a-fA-F:.]+\]|[^][/?#:@]+)(?:[:/?#]|$)")
_WORD = re.compile(r"[^\W_]")


def fingerprint(text: str) -> int:
    """A 64-bit hash of a text.

    The probability that any two of ten million texts have the same fingerprint is about 1 in 10⁵.
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


class FingerprintSet:
    """A set of fingerprints that takes eight bytes for each.

    Most values are in a sorted array, the newest in a set that is merged into it when it is full.
    """

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.uint64).data
        self._unsorted: set[int] = set()

    def add(self, value: int) -> bool:
        """Add a fingerprint; return whether it is new."""
        if value in self:
            return False
        self._unsorted.add(value)
        if len(self._unsorted) >= _MAX_UNSORTED:
            merged = np.concatenate([self._sorted, np.fromiter(self._unsorted, np.uint64)])
            merged.sort()
            self._sorted = merged.data
            self._unsorted.clear()
        return True

    def __contains__(self, value: int) -> bool:
        if value in self._unsorted:
            return True
        place = bisect_left(self._sorted, value)
        return place < len(self._sorted) and self._sorted[place] == value


def read_validation_index(
    path: Path, test: int, validation: int | None, urls: FingerprintSet, rejections: Rejections
) -> Iterator[Line]:
    """Yield the first usable lines as the test split, and those after them as validation.

    Args:
        path: path of the index file.
        test: number of lines of the test split.
        validation: number of lines of the validation split; None yields all that remain.
        urls: receives the URLs of all usable lines of the file, yielded or not.
        rejections: collects the lines that are skipped.
    """
    taken = 0
    for number, caption, url, reason in _parse(path):
        if reason is None and not urls.add(fingerprint(url)):
            reason = "URL repeated in the index"
        if validation is not None and taken >= test + validation:
            continue
        if reason is not None:
            rejections.add(reason, f"{path.name} line {number}")
            continue
        yield Line(number, url, caption, "test" if taken < test else "validation")
        taken += 1


def read_training_index(
    path: Path, train: int | None, excluded_urls: FingerprintSet, rejections: Rejections
) -> Iterator[Line]:
    """Yield the first usable lines as the train split.

    Args:
        path: path of the index file.
        train: number of lines of the train split; None yields all.
        excluded_urls: URLs of the validation index, which are not used for training.
        rejections: collects the lines that are skipped.
    """
    taken = 0
    urls = FingerprintSet()
    for number, caption, url, reason in _parse(path):
        if taken == train:
            return
        if reason is None:
            value = fingerprint(url)
            if value in excluded_urls:
                reason = "training URL that the validation index has too"
            elif not urls.add(value):
                reason = "URL repeated in the index"
        if reason is not None:
            rejections.add(reason, f"{path.name} line {number}")
            continue
        yield Line(number, url, caption, "train")
        taken += 1


def in_blocks(lines: Iterable[Line]) -> Iterator[Block]:
    """Group lines into blocks by their line numbers, so that blocks do not depend on the slice."""
    for number, group in groupby(lines, lambda line: (line.number - 1) // BLOCK_LINES):
        yield Block(number, tuple(group))


def _parse(path: Path) -> Iterator[tuple[int, str, str, str | None]]:
    """Yield number, caption, URL and reason for rejection (or None) of every non-blank line."""
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(_MAX_LINE_BYTES):
            number += 1
            if len(line) == _MAX_LINE_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(_MAX_LINE_BYTES)
                yield number, "", "", "malformed index line"
            elif line.strip():
                yield number, *_parse_line(line)


def _parse_line(line: bytes) -> tuple[str, str, str | None]:
    """Caption, URL and reason for rejection (or None) of one line."""
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
