"""Attention to a single key."""

from __future__ import annotations

import warnings

import numpy as np
import tensorflow as tf

from captioning.model.attention import MultiHeadAttention


def test_an_only_key_has_weight_one_without_a_warning_or_a_gradient_of_its_score():
    layer = MultiHeadAttention(8, 2)
    layer.build((None, None, 8))
    query, memory = tf.ones((3, 4, 8)), tf.ones((3, 1, 8))
    with warnings.catch_warnings(), tf.GradientTape() as tape:
        warnings.simplefilter("error")
        output, weights = layer.attend(query, *layer.project_memory(memory))
    np.testing.assert_array_equal(weights, np.ones((3, 2, 4, 1)))
    gradient = tape.gradient(output, layer.query_dense.kernel)
    np.testing.assert_array_equal(gradient, np.zeros((8, 8)))
