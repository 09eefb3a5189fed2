"""Captions as words: what stands between spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from captioning.core.errors import InputError
from captioning.text.lines import check_special, read_tokens, to_bytes, to_lines
from captioning.text.special import SPECIAL_LINES, SPECIAL_TOKENS, UNK
from captioning.text.standardization import Standardization, standardize
from captioning.text.vocabulary import LIST_FILE, Vocabulary

_SPECIAL = frozenset((*SPECIAL_TOKENS, *SPECIAL_LINES))


@dataclass(frozen=True)
class WordVocabulary(Vocabulary):
    """Words by falling count.

    Attributes:
        tokens: the four of `SPECIAL_TOKENS`, then words.
        standardization: what captions go through before they are cut at spaces.
    """

    tokens: tuple[str, ...]
    standardization: Standardization = standardize

    def __post_init__(self) -> None:
        check_special("vocabulary", self.tokens, SPECIAL_TOKENS)
        _check("vocabulary", self.tokens, self.standardization)

    @classmethod
    def fit(
        cls,
        captions: Iterable[str],
        max_size: int,
        min_count: int = 1,
        standardization: Standardization = standardize,
    ) -> WordVocabulary:
        """The most frequent words of `captions`, by falling count, equal counts alphabetically.

        Args:
            captions: captions of the train split, standardised here.
            max_size: tokens at most, the four special ones included.
            min_count: words seen less often are left out.
            standardization: of the captions.

        Raises:
            InputError: no word is left.
        """
        counts = Counter(word for caption in captions for word in standardization(caption).split())
        frequent = [
            word for word, count in counts.items() if count >= min_count and word not in _SPECIAL
        ]
        frequent.sort(key=lambda word: (-counts[word], word))
        words = frequent[: max(0, max_size - len(SPECIAL_TOKENS))]
        if not words:
            raise InputError(
                f"no word for the vocabulary: {len(counts)} words in the train captions, "
                f"{len(frequent)} of them seen vocabulary.min_count ({min_count}) times or more, "
                f"vocabulary.max_size is {max_size}"
            )
        return cls((*SPECIAL_TOKENS, *words), standardization)

    @classmethod
    def load(
        cls, folder: Path | str, standardization: Standardization = standardize
    ) -> WordVocabulary:
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing, is cut off or holds no vocabulary; names the line.
        """
        path = Path(folder) / LIST_FILE
        tokens = read_tokens(path)
        _check(str(path), tokens, standardization)
        return cls(tokens, standardization)

    def split(self, text: str) -> list[int]:
        """Ids of a standardised text's words, without `START` and `END`; unknown ones are `UNK`."""
        return [self._ids.get(word, UNK) for word in text.split()]

    def join(self, ids: list[int]) -> str:
        """The words of ids, with spaces between."""
        return " ".join(self.tokens[token] for token in ids)

    @property
    def own_files(self) -> dict[str, bytes]:
        """`vocabulary.txt`."""
        return {LIST_FILE: to_bytes(self.tokens)}

    @cached_property
    def _ids(self) -> dict[str, int]:
        """Of words alone: "[END]" in a caption doesn't end it."""
        first = len(SPECIAL_TOKENS)
        return {token: number for number, token in enumerate(self.tokens[first:], start=first)}


def _check(name: str, tokens: Sequence[str], standardization: Standardization) -> None:
    """Raise an InputError that names the first line that has no place in a vocabulary."""
    lines = to_lines(tokens)
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        # One word: whitespace inside survives standardisation.
        good = standardization(line) == line and len(line.split()) == 1
        if number > len(SPECIAL_LINES) and not good:
            raise InputError(
                f"{name} line {number}: {line!r} found where a standardised word belongs"
            )
        if line in seen:
            raise InputError(f"{name} line {number}: {line!r} is on line {seen[line]} already")
        seen[line] = number
