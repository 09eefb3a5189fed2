"""Initial output bias, and entropies of the distribution of tokens."""

from __future__ import annotations

import numpy as np
import pytest

from captioning.text import (
    END,
    PAD,
    START,
    UNK,
    marginal_entropy,
    output_bias,
    uniform_entropy,
)


def test_output_bias_is_the_log_of_the_marginal_distribution():
    counts = np.array([0, 7, 9, 4, 3, 1])
    bias = output_bias(counts)
    assert bias.dtype == np.float32
    # Relative to the 8 tokens that may be produced: unknown words and [START] do not count.
    np.testing.assert_allclose(bias[END:], np.log([4 / 8, 3 / 8, 1 / 8]), rtol=1e-6)
    assert (bias[[PAD, UNK, START]] == -1e9).all()
    softmax = np.exp(bias.astype(np.float64))
    assert softmax.sum() == pytest.approx(1)
    # The mean loss of a model whose logits are the bias.
    expected = -(np.array([4, 3, 1]) / 8 * np.log([4 / 8, 3 / 8, 1 / 8])).sum()
    assert marginal_entropy(counts) == pytest.approx(expected)


def test_a_token_that_never_occurs_counts_half():
    counts = np.array([0, 0, 2, 2, 2, 0])
    np.testing.assert_allclose(np.exp(output_bias(counts)[END:]), np.array([2, 2, 0.5]) / 4.5)
    assert np.isfinite(marginal_entropy(counts))


def test_the_marginal_entropy_of_equal_counts_is_the_uniform_entropy():
    counts = np.array([0, 0, 0, *[10] * 16])
    assert marginal_entropy(counts) == pytest.approx(np.log(16))
    assert uniform_entropy(5000) == pytest.approx(8.517, abs=1e-3)
