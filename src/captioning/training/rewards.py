"""How good a whole caption is, as a number to train on.

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

_ORDERS = 4
# CIDEr-D's tolerance for another length, in words, and its usual scale.
_SIGMA = 6.0
_SCALE = 10.0

Ngram = tuple[int, ...]


@dataclass(frozen=True)
class _Counted:
    """A caption's n-grams, n = 1..4, `[END]` among their words, and its length without."""

    ngrams: Counter[Ngram]
    length: int


def count_ngrams(ids: Iterable[int]) -> _Counted:
    """N-grams of a caption's token ids, without `[START]` and padding, but with `[END]`."""
    words = [token for token in ids if token not in (START, PAD)]
    ngrams = Counter(
        tuple(words[start : start + order])
        for order in range(1, _ORDERS + 1)
        for start in range(len(words) - order + 1)
    )
    return _Counted(ngrams, len(words) - words.count(END))


class CaptionReward:
    """CIDEr-D plus a share of sentence BLEU-4, for captions as token ids.

    CIDEr-D (Vedantam et al. 2015) is implemented here a second time. The one that stage `evaluate`
    reports (`evaluation.cider`) is pycocoevalcap's: it takes whole splits as words, and its
    document frequencies are those of the images scored. A reward must be fast on the token ids of
    a batch, and the same whatever the batch: document frequencies are those of the train split.
    `[END]` counts as a word: otherwise a caption that breaks off after "on a" would lose little.
    BLEU-4 is smoothed by adding one to the counts of every order above the first (Lin and Och
    2004).

    Args:
        document_frequency: of how many images the references have an n-gram; 1 where it is missing.
        images: how many there are.
        bleu_weight: what BLEU-4 (0 to 1) is multiplied by before it is added to CIDEr-D (0 to 10).
    """

    def __init__(
        self, document_frequency: Mapping[Ngram, int], images: int, bleu_weight: float
    ) -> None:
        self.bleu_weight = bleu_weight
        self._log_images = math.log(images)
        self._rarity = {
            ngram: self._log_images - math.log(count) for ngram, count in document_frequency.items()
        }

    @classmethod
    def fit(
        cls, references: Iterable[Sequence[Sequence[int]]], bleu_weight: float
    ) -> CaptionReward:
        """Count in how many images each n-gram occurs.

        Args:
            references: of every train image its captions as token ids.
            bleu_weight: see the class.
        """
        frequency: Counter[Ngram] = Counter()
        images = 0
        for captions in references:
            images += 1
            frequency.update({ngram for ids in captions for ngram in count_ngrams(ids).ngrams})
        # Most n-grams occur in one image: left out, they count the same and take no memory.
        repeated = {ngram: count for ngram, count in frequency.items() if count > 1}
        return cls(repeated, images, bleu_weight)

    def __call__(
        self, captions: NDArray[np.int32], references: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Rewards float32 `[B, N]` of captions int32 `[B, N, T]`, given references `[B, R, T]`.

        All from `[START]` to `[END]`, padded with 0; a reference that is all padding is none.
        """
        rewards = np.zeros(captions.shape[:2], np.float32)
        for image, truths in enumerate(references.tolist()):
            wanted = [count_ngrams(ids) for ids in truths if any(ids)]
            vectors = [self._vector(reference) for reference in wanted]
            most = Counter[Ngram]()
            for reference in wanted:
                most |= reference.ngrams
            for index, ids in enumerate(captions[image].tolist()):
                said = count_ngrams(ids)
                rewards[image, index] = self._cider_d(said, wanted, vectors)
                if self.bleu_weight:
                    lengths = [reference.length for reference in wanted]
                    rewards[image, index] += self.bleu_weight * _bleu_4(said, most, lengths)
        return rewards

    def _vector(self, caption: _Counted) -> tuple[dict[Ngram, float], list[float]]:
        """TF-IDF weight of every n-gram, and the norm of each order's weights."""
        weights = {
            ngram: count * self._rarity.get(ngram, self._log_images)
            for ngram, count in caption.ngrams.items()
        }
        squares = [0.0] * _ORDERS
        for ngram, weight in weights.items():
            squares[len(ngram) - 1] += weight**2
        return weights, [math.sqrt(square) for square in squares]

    def _cider_d(
        self,
        said: _Counted,
        wanted: Sequence[_Counted],
        vectors: Sequence[tuple[dict[Ngram, float], list[float]]],
    ) -> float:
        weights, norms = self._vector(said)
        total = 0.0
        for reference, (others, other_norms) in zip(wanted, vectors, strict=True):
            products = [0.0] * _ORDERS
            for ngram, weight in weights.items():
                if ngram in others:
                    products[len(ngram) - 1] += min(weight, others[ngram]) * others[ngram]
            similarity = sum(
                product / (norm * other_norm)
                for product, norm, other_norm in zip(products, norms, other_norms, strict=True)
                if norm and other_norm
            )
            difference = said.length - reference.length
            total += similarity * math.exp(-(difference**2) / (2 * _SIGMA**2))
        return _SCALE * total / (_ORDERS * len(wanted))


def _bleu_4(said: _Counted, most: Mapping[Ngram, int], lengths: Sequence[int]) -> float:
    """Smoothed BLEU-4 of one caption, 0 to 1; `most` caps how often each n-gram counts."""
    matches, totals = [0] * _ORDERS, [0] * _ORDERS
    for ngram, count in said.ngrams.items():
        if END in ngram:
            continue
        totals[len(ngram) - 1] += count
        matches[len(ngram) - 1] += min(count, most.get(ngram, 0))
    closest = min(lengths, key=lambda length: (abs(length - said.length), length))
    bleu: Any = BLEU.compute_bleu(
        matches, totals, said.length, closest, smooth_method="add-k", smooth_value=1
    )
    return float(bleu.score) / 100
