"""Token ids become the same words and captions as with the vocabulary in Python."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from untrained_captioner import WORDS

from captioning.export.words import TokenTexts
from captioning.text import END, PAD, START, Vocabulary, WordVocabulary
from captioning.text.subwords import SubwordVocabulary

KOREAN = ["개가 잔디 위를 달린다", "고양이가 소파에서 잔다", "개 두 마리가 물에서 논다"]


def _random_tokens(vocabulary: Vocabulary) -> np.ndarray:
    """Captions of every length, int32 `[B, T]`."""
    chance, length = np.random.default_rng(0), 12
    rows = np.full((60, length), PAD, np.int32)
    for index, row in enumerate(rows):
        words = index % (length - 1)
        row[: words + 1] = [START, *chance.integers(END + 1, len(vocabulary), words)]
        row[words + 1] = END
    return rows


def _compare(vocabulary: Vocabulary) -> None:
    rows = _random_tokens(vocabulary)
    texts = TokenTexts(vocabulary)(tf.constant(rows))
    assert texts.words.shape == texts.is_word.shape == (60, 10)
    for row, caption, words in zip(rows, texts.captions, texts.words, strict=True):
        assert caption.numpy().decode() == vocabulary.decode(row.tolist())
        pieces = [piece for piece, _ in vocabulary.pieces(row.tolist())]
        found = [word.decode() for word in words.numpy()]
        assert found == pieces + [""] * (10 - len(pieces))


def test_words_are_those_of_the_vocabulary() -> None:
    _compare(WordVocabulary.fit(WORDS, 100))


def test_subwords_are_joined_as_by_the_vocabulary() -> None:
    _compare(SubwordVocabulary.fit([*KOREAN, *WORDS], 100))


def test_empty_captions_alone_still_have_one_column_of_words() -> None:
    rows = np.array([[START, END, PAD, PAD]], np.int32)
    texts = TokenTexts(WordVocabulary.fit(WORDS, 100))(tf.constant(rows))
    assert texts.captions.numpy().tolist() == [b""]
    assert texts.words.numpy().tolist() == [[b""]]
