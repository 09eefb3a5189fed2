"""What the vocabulary's counts tell the output layer and the reader of the loss.

Legend: V tokens in the vocabulary, special ones included.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from captioning.text.special import END

_BANNED_BIAS = -1e9


def output_bias(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Initial bias of the output layer: the log marginal probability of each token.

    Starting there instead of at zero spares the first steps of training (TensorFlow tutorial
    "Image captioning with visual attention", section "Output layer").

    Args:
        counts: occurrences of each token in the train captions, int [V].

    Returns:
        float32 [V]: log p over the tokens that may be produced; -1e9 for `PAD`, `UNK` and `START`.
    """
    bias = np.full(len(counts), _BANNED_BIAS)
    bias[END:] = np.log(_probabilities(counts))
    return bias.astype(np.float32)


def uniform_entropy(size: int) -> float:
    """Entropy of a uniform choice among `size` tokens, in nats."""
    return math.log(size)


def marginal_entropy(counts: NDArray[np.int64]) -> float:
    """Entropy of the marginal distribution behind `output_bias`, in nats: the loss at its start."""
    p = _probabilities(counts)
    return float(-(p * np.log(p)).sum())


def _probabilities(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Marginal probabilities of the tokens from `END` on, [V - 3]; they sum to 1.

    A token never seen counts half: a log of zero would forbid it for good. Among words fitted on
    the same captions there is none; among subwords, those that are steps towards longer ones.
    """
    seen: NDArray[np.float64] = np.maximum(np.asarray(counts, np.float64)[END:], 0.5)
    return seen / float(seen.sum())
