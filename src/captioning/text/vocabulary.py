"""What words and subwords have in common: captions to token ids and back, files, counts.

Legend: V tokens in the vocabulary, special ones included.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captioning.core.files import atomic_path
from captioning.text.special import END, PAD, START
from captioning.text.standardization import Standardization, standardize

LIST_FILE, MODEL_FILE = "vocabulary.txt", "subwords.model"
STANDARDIZATION_FILE = "standardization.json"


class Vocabulary(ABC):
    """The tokens that captions are written in; a token's id is its position.

    Attributes:
        tokens: the four of `SPECIAL_TOKENS` (ids `PAD`, `UNK`, `START`, `END`), then the others.
        standardization: what captions go through first.
    """

    tokens: tuple[str, ...]
    standardization: Standardization

    @abstractmethod
    def split(self, text: str) -> list[int]:
        """Ids of a standardised text, without `START` and `END`; what is unknown is `UNK`."""

    @abstractmethod
    def join(self, ids: list[int]) -> str:
        """The text of ids that are no `PAD`, `START` or `END`."""

    @property
    @abstractmethod
    def own_files(self) -> Mapping[str, bytes]:
        """The files that the tokens are kept in, by name."""

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, caption: str, max_length: int | None = None) -> list[int]:
        """Ids of a caption, standardised here, between `START` and `END`.

        Args:
            caption: any text.
            max_length: ids at most; tokens that do not fit are cut, `END` stays.

        Raises:
            ValueError: `max_length` has no room for `START` and `END`.
        """
        if max_length is not None and max_length < 2:
            raise ValueError(f"max_length must be 2 or more, not {max_length}")
        ids = self.split(self.standardization(caption))
        if max_length is not None:
            ids = ids[: max_length - 2]
        return [START, *ids, END]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids` up to the first `END`, without `START` and `PAD`.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        return self.join(self._said(ids))

    def pieces(self, ids: Iterable[int]) -> list[tuple[str, int]]:
        """Each token of `ids` that `decode` makes text of, and which word it is part of.

        Returns:
            The token, and the place of its word, from 0, in `decode(ids).split()`.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        said = self._said(ids)
        texts = [self.join(said[:end]) for end in range(len(said) + 1)]
        pieces: list[tuple[str, int]] = []
        word = max(len(texts[-1].split()) - 1, 0)
        for place in range(len(said) - 1, -1, -1):
            # What adds nothing but a space belongs to the word after it.
            if texts[place + 1] != texts[place]:
                word = len(texts[place + 1].split()) - 1
            pieces.append((self.tokens[said[place]], word))
        return pieces[::-1]

    def count(self, captions: Iterable[str]) -> NDArray[np.int64]:
        """How often each token occurs in `captions`, uncut: `START` and `END` once in each. [V]."""
        counts = Counter(token for caption in captions for token in self.encode(caption))
        return np.array([counts[token] for token in range(len(self))], np.int64)

    @cached_property
    def files(self) -> dict[str, bytes]:
        """All that `save` writes, by name; how captions are standardised only where it was set."""
        files = dict(self.own_files)
        if self.standardization != standardize:
            settings = json.dumps(asdict(self.standardization), indent=2, sort_keys=True)
            files[STANDARDIZATION_FILE] = f"{settings}\n".encode()
        return files

    @cached_property
    def sha256(self) -> str:
        """SHA-256 in hexadecimal: of the one file that `save` writes, or of all their sums."""
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}
        if list(sums) == [LIST_FILE]:
            return sums[LIST_FILE]
        return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()

    def save(self, folder: Path | str) -> None:
        """Write `files` into `folder`, and remove what another vocabulary left there."""
        for name in (LIST_FILE, MODEL_FILE, STANDARDIZATION_FILE):
            if name in self.files:
                with atomic_path(Path(folder) / name) as temporary:
                    temporary.write_bytes(self.files[name])
            else:
                (Path(folder) / name).unlink(missing_ok=True)

    def _said(self, ids: Iterable[int]) -> list[int]:
        said = []
        for value in ids:
            token = int(value)
            if not 0 <= token < len(self):
                raise ValueError(f"id {token} is not in the vocabulary of {len(self)} tokens")
            if token == END:
                break
            if token not in (START, PAD):
                said.append(token)
        return said
