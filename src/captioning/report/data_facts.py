"""What a dataset consists of: images, captions and words of every split, and duplicates.

The raw table is read once, one row group at a time. In memory are all captions, and a short
checksum of every image.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from captioning.core.splits import SPLITS
from captioning.data.raw_table import read_raw
from captioning.evaluation.words import ScoringTokenizer
from captioning.report.word_use import length_counts, word_counts
from captioning.text import UNK, Vocabulary

_DIGEST_BYTES = 16
_COLUMNS = ("image_id", "image", "width", "height", "captions")


@dataclass
class SplitFacts:
    """One split.

    Attributes:
        ids: ids of the images, in the order of the raw table.
        captions: captions of all images.
        bytes: bytes of all image files.
        sizes: width and height of every image, in pixels.
        words: occurrences of every word, as the metrics cut captions into words.
        lengths: number of captions by their number of words.
    """

    ids: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    bytes: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    lengths: Mapping[int, int] = field(default_factory=dict)

    @property
    def median_size(self) -> tuple[int, int]:
        """Median of the widths and of the heights."""
        width, height = np.median(self.sizes, axis=0).astype(int).tolist()
        return width, height

    @property
    def smallest_side(self) -> int:
        """The shortest side of any image."""
        return min(min(size) for size in self.sizes)

    @property
    def largest_side(self) -> int:
        """The longest side of any image."""
        return max(max(size) for size in self.sizes)

    @property
    def mean_length(self) -> float:
        """Mean number of words in a caption."""
        return self.words.total() / len(self.captions)


@dataclass(frozen=True)
class Duplicate:
    """Images whose files are equal byte by byte, as pairs of split and id, in their order."""

    places: Sequence[tuple[str, str]]

    @property
    def crosses(self) -> bool:
        """Whether they are in different splits, so that a score may be too good."""
        return len({split for split, _ in self.places}) > 1


@dataclass(frozen=True)
class UnknownWord:
    """A word that the vocabulary does not spell: occurrences, and a caption that contains it."""

    word: str
    count: int
    example: str


def data_facts(
    raw: Path, tokenizer: ScoringTokenizer
) -> tuple[dict[str, SplitFacts], list[Duplicate]]:
    """Read the raw table once.

    Args:
        raw: folder of the raw table.
        tokenizer: how captions are cut into words.

    Returns:
        The facts of every split, and the equal images; those in different splits come first.

    Raises:
        InputError: the raw table is missing or damaged, or the tokenizer is not installed.
    """
    facts: dict[str, SplitFacts] = {}
    places: dict[bytes, list[tuple[str, str]]] = {}
    for split in SPLITS:
        found = facts[split] = SplitFacts()
        for row in read_raw(raw, split, columns=_COLUMNS):
            found.ids.append(row["image_id"])
            found.captions += row["captions"]
            found.bytes += len(row["image"])
            found.sizes.append((row["width"], row["height"]))
            digest = hashlib.blake2b(row["image"], digest_size=_DIGEST_BYTES).digest()
            places.setdefault(digest, []).append((split, row["image_id"]))
        cut = tokenizer(found.captions)
        found.words, found.lengths = word_counts(cut), length_counts(cut)
    duplicates = [Duplicate(group) for group in places.values() if len(group) > 1]
    return facts, sorted(duplicates, key=lambda duplicate: not duplicate.crosses)


def unknown_words(
    captions: Sequence[str], vocabulary: Vocabulary, shown: int
) -> tuple[int, list[UnknownWord]]:
    """Find the words that become `[UNK]`.

    Returns:
        Their number, and the most frequent ones.
    """
    standardized = [vocabulary.standardization(caption) for caption in captions]
    counts = word_counts(standardized)
    unknown = {word for word in counts if UNK in vocabulary.split(word)}
    frequent = sorted(unknown, key=lambda word: (-counts[word], word))[:shown]
    examples: dict[str, str] = {}
    for caption, words in zip(captions, standardized, strict=True):
        for word in unknown.intersection(words.split()):
            examples.setdefault(word, caption)
    return len(unknown), [UnknownWord(word, counts[word], examples[word]) for word in frequent]


def shared_captions(facts: Mapping[str, SplitFacts], split: str) -> float:
    """The share of a split's captions that a train image has letter for letter."""
    known = set(facts["train"].captions)
    captions = facts[split].captions
    return sum(caption in known for caption in captions) / len(captions)


def spread_evenly(ids: Sequence[str], number: int) -> list[str]:
    """Choose `number` ids, or all, at even distances."""
    number = min(number, len(ids))
    return [ids[place * len(ids) // number] for place in range(number)]
