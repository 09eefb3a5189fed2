"""Vocabularies by their kind: made as the params say, loaded as the files say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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
    """A vocabulary of the train split's captions.

    Args:
        kind: `word` or `subword`.
        captions: as people wrote them.
        standardization: of the captions.
        max_size: tokens at most.
        min_count: of words, see `WordVocabulary.fit`.
        character_coverage: of subwords, see `SubwordVocabulary.fit`.

    Raises:
        InputError: there is nothing to learn from, or no room for it.
    """
    if kind == "word":
        return WordVocabulary.fit(captions, max_size, min_count, standardization)
    return SubwordVocabulary.fit(captions, max_size, character_coverage, standardization)


def load_vocabulary(folder: Path | str) -> Vocabulary:
    """Read what `Vocabulary.save` wrote into `folder`.

    Raises:
        InputError: a file is missing or damaged.
    """
    path = Path(folder) / STANDARDIZATION_FILE
    standardization = standardize
    if path.is_file():
        standardization = Standardization.parse(path.read_bytes(), str(path))
    if (Path(folder) / MODEL_FILE).is_file():
        return SubwordVocabulary.load(folder, standardization)
    return WordVocabulary.load(folder, standardization)
