"""Fit or load a vocabulary of either kind: words or subwords."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from captioning.core.opening import opening
from captioning.params.choices import VocabularyKind
from captioning.text.standardization import Standardization, standardize
from captioning.text.subwords import SubwordVocabulary
from captioning.text.vocabulary import MODEL_FILE, STANDARDIZATION_FILE, Vocabulary
from captioning.text.words import WordVocabulary


def fit_vocabulary(
    kind: VocabularyKind,
    captions: Iterable[str],
    standardization: Standardization,
    max_size: int,
    min_count: int,
    character_coverage: float,
) -> Vocabulary:
    """Fit a vocabulary to the captions of the train split.

    Args:
        kind: `word` or `subword`.
        captions: captions, not standardized yet.
        standardization: how captions are standardized.
        max_size: maximum number of tokens.
        min_count: minimum count of a word, see `WordVocabulary.fit`.
        character_coverage: share of characters with a subword, see `SubwordVocabulary.fit`.

    Raises:
        InputError: the captions contain no word, or `max_size` is too small.
    """
    if kind == "word":
        return WordVocabulary.fit(captions, max_size, min_count, standardization)
    return SubwordVocabulary.fit(captions, max_size, character_coverage, standardization)


def load_vocabulary(folder: Path | str) -> Vocabulary:
    """Load a vocabulary that `Vocabulary.save` wrote to `folder`.

    Raises:
        InputError: a file is missing or damaged.
    """
    path = Path(folder) / STANDARDIZATION_FILE
    standardization = standardize
    if path.is_file():
        with opening(path):
            standardization = Standardization.parse(path.read_bytes(), str(path))
    if (Path(folder) / MODEL_FILE).is_file():
        return SubwordVocabulary.load(folder, standardization)
    return WordVocabulary.load(folder, standardization)
