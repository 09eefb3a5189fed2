"""Updates of the optimizer for gradients of lookups."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from captioning.training.optimizer import make_optimizer

ROWS = [0, 2, 2, 2]


@pytest.mark.parametrize("clip", [None, 0.5])
def test_rows_looked_up_several_times_are_updated_once(clip):
    found = []
    for look_up in (
        lambda table: tf.gather(table, ROWS),
        lambda table: tf.one_hot(ROWS, 4) @ table,
    ):
        table = keras.Variable(np.ones((4, 2), "float32"))
        optimizer = make_optimizer(learning_rate=1e-3, steps=80, weight_decay=0.01, clip_norm=clip)
        for scale in (1.0, 3.0):
            with tf.GradientTape() as tape:
                weights = scale * np.arange(8.0, dtype="float32").reshape(4, 2)
                loss = tf.reduce_sum(look_up(table.value) * weights)
            optimizer.apply([tape.gradient(loss, table.value)], [table])
        found.append(table.numpy())
    np.testing.assert_allclose(*found, rtol=1e-6)
    # A row that was not looked up has only decayed.
    assert (found[0][1] < 1).all() and found[0][1] == pytest.approx(1, abs=1e-4)
