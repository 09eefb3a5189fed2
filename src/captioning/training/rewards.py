"""Rewards of whole captions for self-critical training: CIDEr-D and BLEU-4 of token ids.

Legend: `B` images, `N` captions of an image, `R` references of an image, `T` tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from captioning.text import END, PAD, START

# N-grams are counted for n = 1 to 4.
_ORDERS = 4
# Standard deviation of CIDEr-D's penalty for a different length, in words, and its usual scale.
_SIGMA = 6.0
_SCALE = 10.0

Ngram = tuple[int, ...]


@dataclass(frozen=True)
class NgramCounts:
    """N-grams of a caption.

    Attributes:
        ngrams: number of occurrences of each n-gram, n = 1 to 4; `[END]` counts as a word.
        length: number of words without `[END]`.
    """

    ngrams: Counter[Ngram]
    length: int


def count_ngrams(ids: Iterable[int]) -> NgramCounts:
    """Count the n-grams of a caption's token ids, without `[START]` and padding."""
    words = [token for token in ids if token not in (START, PAD)]
    ngrams = Counter(
        tuple(words[start : start + order])
        for order in range(1, _ORDERS + 1)
        for start in range(len(words) - order + 1)
    )
    return NgramCounts(ngrams, len(words) - words.count(END))


class CaptionReward:
    """CIDEr-D plus weighted sentence BLEU-4 of captions as token ids.

    CIDEr-D (Vedantam et al. 2015) is implemented here a second time. The one that stage `evaluate`
    reports (`evaluation.cider`) is pycocoevalcap's: it takes whole splits as words, and its
    document frequencies are those of the images scored. A reward must be fast on the token ids of
    a batch, and must not depend on the batch, so its document frequencies are those of the train
    split. `[END]` counts as a word: otherwise a caption that breaks off after "on a" would lose
    little. BLEU-4 is smoothed by adding one to the counts of every order above the first (Lin and
    Och 2004).

    Args:
        document_frequency: number of images whose references have an n-gram; an n-gram that is
            missing has 1.
        images: number of images.
        bleu_weight: factor of BLEU-4 (0 to 1), which is added to CIDEr-D (0 to 10).
    """

    def __init__(
        self, document_frequency: Mapping[Ngram, int], images: int, bleu_weight: float
    ) -> None:
        self.bleu_weight = bleu_weight
        self._log_images = math.log(images)
        self._inverse_frequency = {
            ngram: self._log_images - math.log(count) for ngram, count in document_frequency.items()
        }

    @classmethod
    def fit(
        cls, references: Iterable[Sequence[Sequence[int]]], bleu_weight: float
    ) -> CaptionReward:
        """Count in how many images each n-gram occurs.

        Args:
            references: captions of each train image, as token ids.
            bleu_weight: see the class.
        """
        frequency: Counter[Ngram] = Counter()
        images = 0
        for captions in references:
            images += 1
            frequency.update({ngram for ids in captions for ngram in count_ngrams(ids).ngrams})
        # Most n-grams occur in one image. Leaving them out saves memory and changes no reward.
        repeated = {ngram: count for ngram, count in frequency.items() if count > 1}
        return cls(repeated, images, bleu_weight)

    def __call__(
        self, captions: NDArray[np.int32], references: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Compute the reward of each caption.

        Args:
            captions: token ids from `[START]` to `[END]`, padded with 0, int32 `[B, N, T]`.
            references: the same, int32 `[B, R, T]`; a reference of padding only does not count.

        Returns:
            Rewards float32 `[B, N]`.
        """
        rewards = np.zeros(captions.shape[:2], np.float32)
        for image, all_ids in enumerate(references.tolist()):
            counted = [count_ngrams(ids) for ids in all_ids if any(ids)]
            vectors = [self._vector(reference) for reference in counted]
            limits = Counter[Ngram]()
            for reference in counted:
                limits |= reference.ngrams
            for index, ids in enumerate(captions[image].tolist()):
                caption = count_ngrams(ids)
                rewards[image, index] = self._cider_d(caption, counted, vectors)
                if self.bleu_weight:
                    lengths = [reference.length for reference in counted]
                    rewards[image, index] += self.bleu_weight * _bleu_4(caption, limits, lengths)
        return rewards

    def _vector(self, caption: NgramCounts) -> tuple[dict[Ngram, float], list[float]]:
        """TF-IDF weight of each n-gram, and the norm of the weights of each order."""
        weights = {
            ngram: count * self._inverse_frequency.get(ngram, self._log_images)
            for ngram, count in caption.ngrams.items()
        }
        squares = [0.0] * _ORDERS
        for ngram, weight in weights.items():
            squares[len(ngram) - 1] += weight**2
        return weights, [math.sqrt(square) for square in squares]

    def _cider_d(
        self,
        caption: NgramCounts,
        references: Sequence[NgramCounts],
        vectors: Sequence[tuple[dict[Ngram, float], list[float]]],
    ) -> float:
        """CIDEr-D of one caption, 0 to 10; `vectors` are those of the references."""
        weights, norms = self._vector(caption)
        total = 0.0
        for reference, (others, other_norms) in zip(references, vectors, strict=True):
            products = [0.0] * _ORDERS
            for ngram, weight in weights.items():
                if ngram in others:
                    products[len(ngram) - 1] += min(weight, others[ngram]) * others[ngram]
            similarity = sum(
                product / (norm * other_norm)
                for product, norm, other_norm in zip(products, norms, other_norms, strict=True)
                if norm and other_norm
            )
            difference = caption.length - reference.length
            total += similarity * math.exp(-(difference**2) / (2 * _SIGMA**2))
        return _SCALE * total / (_ORDERS * len(references))


def _bleu_4(caption: NgramCounts, limits: Mapping[Ngram, int], lengths: Sequence[int]) -> float:
    """Smoothed BLEU-4 of one caption, 0 to 1.

    Args:
        caption: n-grams of the caption.
        limits: how often each n-gram can count, which is its largest count in a reference.
        lengths: lengths of the references.
    """
    matches, totals = [0] * _ORDERS, [0] * _ORDERS
    for ngram, count in caption.ngrams.items():
        if END in ngram:
            continue
        totals[len(ngram) - 1] += count
        matches[len(ngram) - 1] += min(count, limits.get(ngram, 0))
    closest = min(lengths, key=lambda length: (abs(length - caption.length), length))
    bleu: Any = BLEU.compute_bleu(
        matches, totals, caption.length, closest, smooth_method="add-k", smooth_value=1
    )
    return float(bleu.score) / 100
