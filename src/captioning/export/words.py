"""Turn token ids into words and captions in TensorFlow's graph.

Legend: `B` captions, `T` tokens (`max_length`), `W` words of the longest caption of a batch.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from captioning.text import END, PAD, Vocabulary
from captioning.text.subwords import SubwordVocabulary

# What SentencePiece writes for a space.
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


class Texts(NamedTuple):
    """Captions as text.

    Attributes:
        captions: string `[B]`.
        words: words or subword pieces, string `[B, W]`, padded with empty strings.
        is_word: which of the words are no padding, bool `[B, W]`.
    """

    captions: tf.Tensor
    words: tf.Tensor
    is_word: tf.Tensor


class TokenTexts:
    """The texts of a vocabulary's tokens.

    Args:
        vocabulary: vocabulary that defines the ids.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._tokens = list(vocabulary.tokens)
        self._are_subwords = isinstance(vocabulary, SubwordVocabulary)

    def __call__(self, tokens: tf.Tensor) -> Texts:
        """The texts of captions as the decoder's search returns them.

        Args:
            tokens: int32 `[B, T]`, which begin with `START` and are padded after `END`.

        Returns:
            The texts of `Vocabulary.decode` and `Vocabulary.pieces`. `W` is at least 1.
        """
        following = tokens[:, 1:]
        is_word = tf.logical_and(following != PAD, following != END)
        longest = tf.reduce_max(tf.reduce_sum(tf.cast(is_word, tf.int32), axis=1))
        width = tf.maximum(longest, 1)
        is_word = is_word[:, :width]
        words = tf.gather(tf.constant(self._tokens), following[:, :width])
        words = tf.where(is_word, words, "")
        return Texts(self._join(words), words, is_word)

    def _join(self, words: tf.Tensor) -> tf.Tensor:
        """The captions string `[B]` of words string `[B, W]`."""
        if not self._are_subwords:
            return tf.strings.strip(tf.strings.reduce_join(words, axis=1, separator=" "))
        text = tf.strings.regex_replace(tf.strings.reduce_join(words, axis=1), _SPACE, " ")
        return tf.strings.strip(tf.strings.regex_replace(text, r"\s+", " "))
