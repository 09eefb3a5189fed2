"""AdamW whose update of a variable is one operation where the backend has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops


class FusedAdamW(keras.optimizers.AdamW):
    """Keras' AdamW (Loshchilov and Hutter 2017), one pass over the memory for each variable.

    Keras composes the update of a dozen operations, each with a pass of its own over moments,
    gradient and weights; TensorFlow has them as one. The arithmetic is the same, the rounding of
    the last digits is not. Other backends keep Keras' own update, which they compile into one.

    An embedding's gradient is that of every row, as for other weights: on TensorFlow a lookup's
    lists a row once for each of its occurrences, and Keras would square these one by one, for the
    second moment and for the norm that is clipped, where the square of their sum is meant.
    """

    def apply(self, grads: Iterable[Any], trainable_variables: Any = None) -> None:
        """Update the variables (those the optimiser was built for, if None) by their gradients."""
        variables = list(trainable_variables or self._trainable_variables)
        # Of a gradient that lists single rows, any reshape makes a tensor.
        dense = [
            None if grad is None else ops.reshape(grad, variable.shape)
            for grad, variable in zip(grads, variables, strict=True)
        ]
        super().apply(dense, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable, in place."""
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
