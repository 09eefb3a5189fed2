"""Base class of both kinds of vocabulary: encoding, decoding, counting and saving.

Legend: `V` tokens in the vocabulary, including the special tokens.
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
    """An ordered list of tokens. The id of a token is its position.

    Attributes:
        tokens: the special tokens (ids `PAD`, `UNK`, `START`, `END`), then all others.
        standardization: how captions are standardized before they are split into tokens.
    """

    tokens: tuple[str, ...]
    standardization: Standardization

    @abstractmethod
    def split(self, text: str) -> list[int]:
        """Ids of a standardized text, without `START` and `END`; unknown tokens are `UNK`."""

    @abstractmethod
    def join(self, ids: list[int]) -> str:
        """The text of ids, which must not include `PAD`, `START` or `END`."""

    @property
    @abstractmethod
    def own_files(self) -> Mapping[str, bytes]:
        """The files that contain the tokens: their contents by name."""

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, caption: str, max_length: int | None = None) -> list[int]:
        """Encode a caption as `START`, the ids of its tokens, `END`.

        Args:
            caption: any text, not standardized yet.
            max_length: maximum number of ids. Longer captions are truncated before `END`.

        Raises:
            ValueError: `max_length` is less than 2.
        """
        if max_length is not None and max_length < 2:
            raise ValueError(f"max_length must be 2 or more, not {max_length}")
        ids = self.split(self.standardization(caption))
        if max_length is not None:
            ids = ids[: max_length - 2]
        return [START, *ids, END]

    def decode(self, ids: Iterable[int]) -> str:
        """Decode ids up to the first `END`; `START` and `PAD` are skipped.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        return self.join(self._content_ids(ids))

    def pieces(self, ids: Iterable[int]) -> list[tuple[str, int]]:
        """List the tokens that `decode` turns into text, each with the word it is part of.

        Returns:
            Pairs of a token and the index of its word in `decode(ids).split()`.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        content = self._content_ids(ids)
        texts = [self.join(content[:end]) for end in range(len(content) + 1)]
        pieces: list[tuple[str, int]] = []
        word = max(len(texts[-1].split()) - 1, 0)
        for place in range(len(content) - 1, -1, -1):
            # A piece that adds only a space is part of the next word.
            if texts[place + 1] != texts[place]:
                word = len(texts[place + 1].split()) - 1
            pieces.append((self.tokens[content[place]], word))
        return pieces[::-1]

    def count(self, captions: Iterable[str]) -> NDArray[np.int64]:
        """Count each token in `captions`, including `START` and `END`; returns int64 `[V]`."""
        counts = Counter(token for caption in captions for token in self.encode(caption))
        return np.array([counts[token] for token in range(len(self))], np.int64)

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files that `save` writes: contents by name.

        The standardization has a file only if it differs from the default.
        """
        files = dict(self.own_files)
        if self.standardization != standardize:
            settings = json.dumps(asdict(self.standardization), indent=2, sort_keys=True)
            files[STANDARDIZATION_FILE] = f"{settings}\n".encode()
        return files

    @cached_property
    def sha256(self) -> str:
        """SHA-256 checksum in hexadecimal: of the only file, or of the checksums of all files."""
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}
        if list(sums) == [LIST_FILE]:
            return sums[LIST_FILE]
        return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()

    def save(self, folder: Path | str) -> None:
        """Write `files` to `folder`, and delete the files of another vocabulary there."""
        for name in (LIST_FILE, MODEL_FILE, STANDARDIZATION_FILE):
            if name in self.files:
                with atomic_path(Path(folder) / name) as temporary:
                    temporary.write_bytes(self.files[name])
            else:
                (Path(folder) / name).unlink(missing_ok=True)

    def _content_ids(self, ids: Iterable[int]) -> list[int]:
        """The ids up to the first `END`, without `START` and `PAD`."""
        content = []
        for value in ids:
            token = int(value)
            if not 0 <= token < len(self):
                raise ValueError(f"id {token} is not in the vocabulary of {len(self)} tokens")
            if token == END:
                break
            if token not in (START, PAD):
                content.append(token)
        return content
