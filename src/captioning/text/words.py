"""Vocabularies of words, which are separated by spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from captioning.core.errors import InputError
from captioning.core.opening import opening
from captioning.text.lines import check_special, read_tokens, to_bytes, to_lines
from captioning.text.special import SPECIAL_LINES, SPECIAL_TOKENS, UNK
from captioning.text.standardization import Standardization, standardize
from captioning.text.vocabulary import LIST_FILE, Vocabulary

_SPECIAL = frozenset((*SPECIAL_TOKENS, *SPECIAL_LINES))


@dataclass(frozen=True)
class WordVocabulary(Vocabulary):
    """A vocabulary of words.

    Attributes:
        tokens: the special tokens, then words by descending count.
        standardization: how captions are standardized before they are split at spaces.
    """

    tokens: tuple[str, ...]
    standardization: Standardization = standardize

    def __post_init__(self) -> None:
        try:
            check_special(self.tokens, SPECIAL_TOKENS)
            _check(self.tokens, self.standardization)
        except ValueError as error:
            raise InputError(f"vocabulary {error}") from None

    @classmethod
    def fit(
        cls,
        captions: Iterable[str],
        max_size: int,
        min_count: int = 1,
        standardization: Standardization = standardize,
    ) -> WordVocabulary:
        """Collect the most frequent words of captions, by descending count, then alphabetically.

        Args:
            captions: captions of the train split, not standardized yet.
            max_size: maximum number of tokens, including the four special tokens.
            min_count: minimum count of a word; rarer words are left out.
            standardization: how captions are standardized.

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
                f"the vocabulary would be empty: the train captions contain {len(counts)} words, "
                f"{len(frequent)} of them at least vocabulary.min_count ({min_count}) times, and "
                f"vocabulary.max_size is {max_size}"
            )
        return cls((*SPECIAL_TOKENS, *words), standardization)

    @classmethod
    def load(
        cls, folder: Path | str, standardization: Standardization = standardize
    ) -> WordVocabulary:
        """Load a vocabulary that `save` wrote.

        Raises:
            InputError: the file is missing or damaged; the message names the line.
        """
        path = Path(folder) / LIST_FILE
        tokens = read_tokens(path)
        with opening(path):
            _check(tokens, standardization)
        return cls(tokens, standardization)

    def split(self, text: str) -> list[int]:
        """Ids of a standardized text, without `START` and `END`; unknown words are `UNK`."""
        return [self._ids.get(word, UNK) for word in text.split()]

    def join(self, ids: list[int]) -> str:
        """The words with these ids, separated by spaces."""
        return " ".join(self.tokens[token] for token in ids)

    @property
    def own_files(self) -> dict[str, bytes]:
        """`vocabulary.txt`, the list of tokens."""
        return {LIST_FILE: to_bytes(self.tokens)}

    @cached_property
    def _ids(self) -> dict[str, int]:
        """Ids of words, without special tokens: an "[END]" in a caption must not end it."""
        first = len(SPECIAL_TOKENS)
        return {token: number for number, token in enumerate(self.tokens[first:], start=first)}


def _check(tokens: Sequence[str], standardization: Standardization) -> None:
    """Raise a ValueError that names the first line that is not a standardized, unique word."""
    lines = to_lines(tokens)
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        # Standardization keeps spaces, so that the number of words must be checked too.
        is_word = standardization(line) == line and len(line.split()) == 1
        if number > len(SPECIAL_LINES) and not is_word:
            raise ValueError(f"line {number}: must be a standardized word, found {line!r}")
        if line in seen:
            raise ValueError(f"line {number}: {line!r} is already on line {seen[line]}")
        seen[line] = number
