"""Initial output bias, and reference values for the loss, from the counts of tokens.

Legend: `V` tokens in the vocabulary, including the special tokens.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from captioning.text.special import END

_BANNED_BIAS = -1e9


def output_bias(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Compute the initial bias of the output layer: the log marginal probability of each token.

    It saves the first training steps, in which a decoder would otherwise learn these frequencies
    (TensorFlow tutorial "Image captioning with visual attention", section "Output layer").

    Args:
        counts: number of occurrences of each token in the train captions, int `[V]`.

    Returns:
        Bias float32 `[V]`. It is -1e9 for `PAD`, `UNK` and `START`, which must not be produced.
    """
    bias = np.full(len(counts), _BANNED_BIAS)
    bias[END:] = np.log(_probabilities(counts))
    return bias.astype(np.float32)


def uniform_entropy(size: int) -> float:
    """Entropy of the uniform distribution over `size` tokens, in nats."""
    return math.log(size)


def marginal_entropy(counts: NDArray[np.int64]) -> float:
    """Entropy of the marginal distribution of `output_bias`, in nats: the expected initial loss."""
    p = _probabilities(counts)
    return float(-(p * np.log(p)).sum())


def _probabilities(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Marginal probabilities of `END` and all tokens after it, float64 `[V - 3]`; they sum to 1.

    Tokens that never occur count 0.5, because the log of 0 would ban them forever. Only subwords
    can have such tokens: pieces that occur only within longer pieces.
    """
    positive: NDArray[np.float64] = np.maximum(np.asarray(counts, np.float64)[END:], 0.5)
    return positive / float(positive.sum())
