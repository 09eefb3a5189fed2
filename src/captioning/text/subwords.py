"""Vocabularies of subwords, for languages without spaces or with long, composed words.

Uses SentencePiece (Kudo and Richardson 2018) with byte-pair encoding (Sennrich et al. 2016), which
merges pieces by their counts. Counts are integers, so training gives the same bytes on any machine.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError, opening
from captioning.text.lines import read_tokens, to_bytes
from captioning.text.special import END, PAD, SPECIAL_LINES, SPECIAL_TOKENS, START, UNK
from captioning.text.standardization import Standardization, standardize
from captioning.text.vocabulary import LIST_FILE, MODEL_FILE, Vocabulary

_MAX_TRAINING_CAPTIONS = 300_000
_TRAINING_OPTIONS: dict[str, Any] = {
    "model_type": "bpe",
    # `max_size` is an upper bound, as for words.
    "hard_vocab_limit": False,
    # Captions are already normalized by `standardization`.
    "normalization_rule_name": "identity",
    # In bytes. SentencePiece skips longer captions.
    "max_sentence_length": 1 << 20,
    "pad_id": PAD,
    "unk_id": UNK,
    "bos_id": START,
    "eos_id": END,
    "pad_piece": SPECIAL_LINES[PAD],
    "unk_piece": SPECIAL_LINES[UNK],
    "bos_piece": SPECIAL_LINES[START],
    "eos_piece": SPECIAL_LINES[END],
    "unk_surface": SPECIAL_LINES[UNK],
    "num_threads": 1,
    # Log errors only; they are raised as exceptions too.
    "minloglevel": 2,
}


@dataclass(frozen=True)
class SubwordVocabulary(Vocabulary):
    """A vocabulary of subwords, or pieces of words; in `tokens`, "▁" marks the beginning of a word.

    A sequence of characters that are in no piece becomes one `UNK`.

    Attributes:
        model: serialized SentencePiece model.
        standardization: how captions are standardized before they are split into pieces.
    """

    model: bytes = field(repr=False)
    standardization: Standardization = standardize

    def __post_init__(self) -> None:
        if not _has_special_pieces(self._processor):
            raise InputError("the subword model is damaged or was not written by this project")

    @classmethod
    def fit(
        cls,
        captions: Iterable[str],
        max_size: int,
        character_coverage: float = 1.0,
        standardization: Standardization = standardize,
    ) -> SubwordVocabulary:
        """Learn the pieces from captions.

        SentencePiece keeps all training captions in memory, with up to 2 KB for each caption
        without spaces. From more than 300,000 captions, a random sample of 300,000 is used, drawn
        with a fixed seed.

        Args:
            captions: captions of the train split, not standardized yet.
            max_size: maximum number of tokens, including the four special tokens. There are fewer
                if no pieces are left to merge.
            character_coverage: share of the characters in the captions for which there is a piece;
                the rarest characters are left out.
            standardization: how captions are standardized.

        Raises:
            InputError: the captions contain no word, or `max_size` is too small for the characters.
        """
        import sentencepiece

        texts = _sample(map(standardization, captions))
        if not any(texts):
            raise InputError("the vocabulary would be empty: no train caption contains a word")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                vocab_size=max_size,
                character_coverage=character_coverage,
                **_TRAINING_OPTIONS,
            )
        except RuntimeError as error:
            if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error)):
                raise InputError(
                    f"vocabulary.max_size is {max_size}, but a piece for every character and the "
                    f"special tokens take {found[1]}: increase it, or decrease "
                    f"vocabulary.character_coverage ({character_coverage})"
                ) from None
            raise
        return cls(model.getvalue(), standardization)

    @classmethod
    def load(
        cls, folder: Path | str, standardization: Standardization = standardize
    ) -> SubwordVocabulary:
        """Load a vocabulary that `save` wrote.

        Raises:
            InputError: a file is missing or damaged, or the two files disagree.
        """
        path = Path(folder) / MODEL_FILE
        if not path.is_file():
            raise InputError(f"{path} is missing: run `dvc repro vocabulary`")
        with opening(path):
            model = path.read_bytes()
            if not _has_special_pieces(_load_processor(model)):
                raise ValueError("it was not written by this project")
            vocabulary = cls(model, standardization)
        listed = Path(folder) / LIST_FILE
        if read_tokens(listed) != vocabulary.tokens:
            reason = f"it does not list the pieces of {MODEL_FILE} in the same folder"
            raise DamagedError(listed, reason)
        return vocabulary

    @cached_property
    def tokens(self) -> tuple[str, ...]:  # type: ignore[override]
        """The special tokens, then the pieces."""
        pieces = range(len(SPECIAL_TOKENS), len(self._processor))
        return (*SPECIAL_TOKENS, *map(self._processor.id_to_piece, pieces))

    def split(self, text: str) -> list[int]:
        """Ids of the pieces of a standardized text, without `START` and `END`."""
        return list(self._processor.encode(text))

    def join(self, ids: list[int]) -> str:
        """The text of the pieces with these ids, with spaces between words only."""
        return " ".join(self._processor.decode(ids).split())

    @property
    def own_files(self) -> dict[str, bytes]:
        """`subwords.model`, and `vocabulary.txt`, a readable list of its pieces."""
        return {LIST_FILE: to_bytes(self.tokens), MODEL_FILE: self.model}

    @cached_property
    def _processor(self) -> Any:
        return _load_processor(self.model)


def _sample(texts: Iterable[str]) -> list[str]:
    """All texts, or a random sample of `_MAX_TRAINING_CAPTIONS` (reservoir sampling)."""
    random = Random(0)
    sample: list[str] = []
    for number, text in enumerate(texts):
        if number < _MAX_TRAINING_CAPTIONS:
            sample.append(text)
        elif (place := random.randrange(number + 1)) < _MAX_TRAINING_CAPTIONS:
            sample[place] = text
    return sample


def _load_processor(model: bytes) -> Any:
    """A SentencePiece processor for a model; None if the bytes are not a model."""
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model) if model else None
    except RuntimeError:
        return None


def _has_special_pieces(processor: Any) -> bool:
    """Whether a processor's first pieces are the special ones of this project."""
    special = len(SPECIAL_LINES)
    if processor is None or len(processor) < special:
        return False
    return [*map(processor.id_to_piece, range(special))] == [*SPECIAL_LINES]
