"""Captions as pieces of words, for languages that put no spaces or write much into one word.

SentencePiece (Kudo and Richardson 2018) with byte-pair encoding (Sennrich et al. 2016): pieces are
merged by counts, which are whole numbers, so that training gives the same bytes everywhere.
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
from captioning.text.lines import read_tokens, to_bytes
from captioning.text.special import END, PAD, SPECIAL_LINES, SPECIAL_TOKENS, START, UNK
from captioning.text.standardization import Standardization, standardize
from captioning.text.vocabulary import LIST_FILE, MODEL_FILE, Vocabulary

_MOST_CAPTIONS = 300_000
_TRAINING: dict[str, Any] = {
    "model_type": "bpe",
    # `max_size` is a bound, as for words.
    "hard_vocab_limit": False,
    # What it would do is done before, by `standardization`.
    "normalization_rule_name": "identity",
    # Bytes; a longer caption would be passed over.
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
    # Errors only, which come as exceptions too.
    "minloglevel": 2,
}


@dataclass(frozen=True)
class SubwordVocabulary(Vocabulary):
    """Pieces of words; in `tokens`, "▁" stands where a word begins.

    A character that no piece has becomes `UNK`, together with those beside it.

    Attributes:
        model: SentencePiece's, serialised.
        standardization: what captions go through before they are cut into pieces.
    """

    model: bytes = field(repr=False)
    standardization: Standardization = standardize

    def __post_init__(self) -> None:
        _check("the subword model", self._processor)

    @classmethod
    def fit(
        cls,
        captions: Iterable[str],
        max_size: int,
        character_coverage: float = 1.0,
        standardization: Standardization = standardize,
    ) -> SubwordVocabulary:
        """Learn the pieces from `captions`.

        Training holds the captions, up to 2 KB for each without spaces: of more than 300,000 it
        takes as many, drawn by chance with a fixed seed.

        Args:
            captions: captions of the train split, standardised here.
            max_size: tokens at most, the four special ones included; fewer where there is nothing
                left to merge.
            character_coverage: share of the captions' characters that have a piece, the most
                frequent ones first.
            standardization: of the captions.

        Raises:
            InputError: no caption has a word, or `max_size` has no room for the characters.
        """
        import sentencepiece

        texts = _sample(map(standardization, captions))
        if not any(texts):
            raise InputError("no text for the vocabulary: no train caption has a word in it")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                vocab_size=max_size,
                character_coverage=character_coverage,
                **_TRAINING,
            )
        except RuntimeError as error:
            if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error)):
                raise InputError(
                    f"vocabulary.max_size is {max_size}, but a piece for every character and the "
                    f"special tokens take {found[1]}: raise it, or lower "
                    f"vocabulary.character_coverage ({character_coverage})"
                ) from None
            raise
        return cls(model.getvalue(), standardization)

    @classmethod
    def load(
        cls, folder: Path | str, standardization: Standardization = standardize
    ) -> SubwordVocabulary:
        """Read what `save` wrote.

        Raises:
            InputError: a file is missing or damaged, or the two don't belong together.
        """
        path = Path(folder) / MODEL_FILE
        try:
            model = path.read_bytes()
        except FileNotFoundError:
            raise InputError(f"{path} is missing: run `dvc repro vocabulary`") from None
        _check(str(path), _processor(model))
        vocabulary = cls(model, standardization)
        listed = Path(folder) / LIST_FILE
        if read_tokens(listed) != vocabulary.tokens:
            raise InputError(
                f"{listed} doesn't list the pieces of {MODEL_FILE} beside it: "
                "run `dvc repro vocabulary`"
            )
        return vocabulary

    @cached_property
    def tokens(self) -> tuple[str, ...]:  # type: ignore[override]
        """The four of `SPECIAL_TOKENS`, then the pieces."""
        pieces = range(len(SPECIAL_TOKENS), len(self._processor))
        return (*SPECIAL_TOKENS, *map(self._processor.id_to_piece, pieces))

    def split(self, text: str) -> list[int]:
        """Ids of a standardised text's pieces, without `START` and `END`."""
        return list(self._processor.encode(text))

    def join(self, ids: list[int]) -> str:
        """The text of pieces, with the spaces where they belong."""
        return " ".join(self._processor.decode(ids).split())

    @property
    def own_files(self) -> dict[str, bytes]:
        """`vocabulary.txt`, for people, and `subwords.model`, which can be made into it."""
        return {LIST_FILE: to_bytes(self.tokens), MODEL_FILE: self.model}

    @cached_property
    def _processor(self) -> Any:
        return _processor(self.model)


def _sample(texts: Iterable[str]) -> list[str]:
    """All texts, or `_MOST_CAPTIONS` of them, each equally likely (reservoir sampling)."""
    random = Random(0)
    kept: list[str] = []
    for number, text in enumerate(texts):
        if number < _MOST_CAPTIONS:
            kept.append(text)
        elif (place := random.randrange(number + 1)) < _MOST_CAPTIONS:
            kept[place] = text
    return kept


def _processor(model: bytes) -> Any:
    """SentencePiece with a model loaded; None where the bytes are no model."""
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model) if model else None
    except RuntimeError:
        return None


def _check(name: str, processor: Any) -> None:
    """Raise an InputError where a model can't be read or has other special tokens."""
    special = len(SPECIAL_LINES)
    found = [] if processor is None else [*map(processor.id_to_piece, range(special))]
    if found != [*SPECIAL_LINES]:
        raise InputError(
            f"{name} is damaged or was not made here: run `dvc repro vocabulary`, or `dvc checkout`"
        )
