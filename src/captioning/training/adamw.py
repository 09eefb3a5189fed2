"""AdamW that updates a variable in one operation where the backend supports it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops


class FusedAdamW(keras.optimizers.AdamW):
    """Keras' AdamW (Loshchilov and Hutter 2017) with one pass over memory for each variable.

    Keras updates a variable in a dozen operations, each of which passes over moments, gradient and
    weights; TensorFlow has one operation for all. The arithmetic is the same, but the last digits
    are rounded differently. Other backends compile Keras' own update into one operation.

    Gradients of embeddings are made dense. On TensorFlow, the gradient of a lookup lists a row once
    for each occurrence. Keras would square each of these for the second moment and for the norm
    that is clipped; correct is the square of their sum.
    """

    def apply(self, grads: Iterable[Any], trainable_variables: Any = None) -> None:
        """Update the variables by their gradients; None means the variables of `build`."""
        variables = list(trainable_variables or self._trainable_variables)
        # Any reshape turns a gradient that lists rows into a dense tensor.
        dense = [
            None if grad is None else ops.reshape(grad, variable.shape)
            for grad, variable in zip(grads, variables, strict=True)
        ]
        super().apply(dense, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable in place."""
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        step = tf.cast(self.iterations + 1, tf.float32)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
