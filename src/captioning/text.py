"""Captions as words and ids: standardisation, vocabulary, output bias.

Legend: V tokens in the vocabulary, special ones included.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captioning.errors import InputError
from captioning.files import atomic_path

PAD, UNK, START, END = range(4)
# Never produced by the decoder.
BANNED = (PAD, UNK, START)
SPECIAL_TOKENS = ("", "[UNK]", "[START]", "[END]")
# An empty line shows nothing to whoever opens the file, so padding has a name there.
_SPECIAL_LINES = ("[PAD]", *SPECIAL_TOKENS[1:])
_BANNED_BIAS = -1e9


class _PunctuationTable(dict[int, "int | None"]):
    """A `str.translate` table, filled as characters are met: None for punctuation and symbols."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code))[0] in "PS" else code
        self[code] = kept
        return kept


_PUNCTUATION = _PunctuationTable()


def standardize(caption: str) -> str:
    """Lower case, punctuation deleted, whitespace collapsed to single spaces.

    Deleted are the Unicode categories P* (punctuation) and S* (symbols: currency, mathematics,
    emoji). In ASCII these are the 32 characters of `string.punctuation`, so that ASCII captions
    come out as in the TensorFlow tutorial "Image captioning with visual attention". Letters, marks
    and digits of every script stay. Text is composed (NFC): one spelling of an accented letter.

    >>> standardize("A  dog's t-shirt, [very] RED!")
    'a dogs tshirt very red'
    """
    words = unicodedata.normalize("NFC", caption.lower()).translate(_PUNCTUATION)
    # Once more: deleting may bring a letter and a combining mark together.
    return " ".join(unicodedata.normalize("NFC", words).split())


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that captions are written in; a token's id is its position.

    Attributes:
        tokens: the four of `SPECIAL_TOKENS` (ids `PAD`, `UNK`, `START`, `END`), then words.
    """

    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_lines("vocabulary", self._lines)

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def fit(cls, captions: Iterable[str], max_size: int, min_count: int = 1) -> Vocabulary:
        """The most frequent words of `captions`, by falling count, equal counts alphabetically.

        Args:
            captions: captions of the train split, standardised here.
            max_size: tokens at most, the four special ones included.
            min_count: words seen less often are left out.

        Raises:
            InputError: no word is left.
        """
        counts = Counter(word for caption in captions for word in standardize(caption).split())
        frequent = [word for word, count in counts.items() if count >= min_count]
        frequent.sort(key=lambda word: (-counts[word], word))
        words = frequent[: max(0, max_size - len(SPECIAL_TOKENS))]
        if not words:
            raise InputError(
                f"no word for the vocabulary: {len(counts)} words in the train captions, "
                f"{len(frequent)} of them seen vocabulary.min_count ({min_count}) times or more, "
                f"vocabulary.max_size is {max_size}"
            )
        return cls((*SPECIAL_TOKENS, *words))

    @classmethod
    def load(cls, path: Path | str) -> Vocabulary:
        """Read a file that `save` wrote.

        Raises:
            InputError: the file is missing, is cut off or holds no vocabulary; names the line.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except FileNotFoundError:
            raise InputError(f"{path} is missing: run `dvc repro vocabulary`") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is no vocabulary: not UTF-8 ({error})") from None
        *lines, rest = text.split("\n")
        _check_lines(str(path), lines)
        if rest:
            raise InputError(
                f"{path} line {len(lines) + 1}: no newline after {rest!r}, the file is cut off: "
                "run `dvc repro vocabulary`"
            )
        return cls((*SPECIAL_TOKENS, *lines[len(SPECIAL_TOKENS) :]))

    def save(self, path: Path | str) -> None:
        """Write one token a line: line k (from 0) is the token of id k; padding's is "[PAD]"."""
        with atomic_path(path) as temporary:
            temporary.write_bytes(self._bytes)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file that `save` writes, in hexadecimal."""
        return hashlib.sha256(self._bytes).hexdigest()

    def encode(self, caption: str, max_length: int | None = None) -> list[int]:
        """Ids of a caption, standardised here, between `START` and `END`; unknown words are `UNK`.

        Args:
            caption: any text.
            max_length: ids at most; words that do not fit are cut, `END` stays.

        Raises:
            ValueError: `max_length` has no room for `START` and `END`.
        """
        if max_length is not None and max_length < 2:
            raise ValueError(f"max_length must be 2 or more, not {max_length}")
        words = standardize(caption).split()
        if max_length is not None:
            words = words[: max_length - 2]
        return [START, *(self._ids.get(word, UNK) for word in words), END]

    def decode(self, ids: Iterable[int]) -> str:
        """Words of `ids` up to the first `END`, without `START` and `PAD`, joined by spaces.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        words = []
        for value in ids:
            token = int(value)
            if not 0 <= token < len(self):
                raise ValueError(f"id {token} is not in the vocabulary of {len(self)} tokens")
            if token == END:
                break
            if token not in (START, PAD):
                words.append(self.tokens[token])
        return " ".join(words)

    def count(self, captions: Iterable[str]) -> NDArray[np.int64]:
        """How often each token occurs in `captions`, uncut: `START` and `END` once in each. [V]."""
        counts = Counter(token for caption in captions for token in self.encode(caption))
        return np.array([counts[token] for token in range(len(self))], np.int64)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def _lines(self) -> list[str]:
        return ["[PAD]" if token == "" else token for token in self.tokens]

    @property
    def _bytes(self) -> bytes:
        return "".join(f"{line}\n" for line in self._lines).encode()


def output_bias(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Initial bias of the output layer: the log marginal probability of each token.

    Starting there instead of at zero spares the first steps of training (TensorFlow tutorial
    "Image captioning with visual attention", section "Output layer").

    Args:
        counts: occurrences of each token in the train captions, int [V].

    Returns:
        float32 [V]: log p over the tokens that may be produced; -1e9 for `PAD`, `UNK` and `START`.
    """
    bias = np.full(len(counts), _BANNED_BIAS)
    bias[END:] = np.log(_probabilities(counts))
    return bias.astype(np.float32)


def uniform_entropy(size: int) -> float:
    """Entropy of a uniform choice among `size` tokens, in nats."""
    return math.log(size)


def marginal_entropy(counts: NDArray[np.int64]) -> float:
    """Entropy of the marginal distribution behind `output_bias`, in nats: the loss at its start."""
    p = _probabilities(counts)
    return float(-(p * np.log(p)).sum())


def _probabilities(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Marginal probabilities of the tokens from `END` on, [V - 3]; they sum to 1.

    A token never seen counts half: a log of zero would forbid it for good. In a vocabulary fitted
    on the same captions there is none.
    """
    seen: NDArray[np.float64] = np.maximum(np.asarray(counts, np.float64)[END:], 0.5)
    return seen / float(seen.sum())


def _check_lines(name: str, lines: Sequence[str]) -> None:
    """Raise an InputError that names the first line that has no place in a vocabulary."""
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if number <= len(_SPECIAL_LINES):
            good, wanted = line == _SPECIAL_LINES[number - 1], _SPECIAL_LINES[number - 1]
        else:
            good, wanted = bool(line) and standardize(line) == line, "a standardised word"
        # One word: whitespace inside survives standardisation.
        if not good or len(line.split()) != 1:
            raise InputError(f"{name} line {number}: {line!r} found where {wanted} belongs")
        if line in seen:
            raise InputError(f"{name} line {number}: {line!r} is on line {seen[line]} already")
        seen[line] = number
    if len(lines) < len(_SPECIAL_LINES):
        raise InputError(f"{name} ends before line {len(_SPECIAL_LINES)}: not a vocabulary")
