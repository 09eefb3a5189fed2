"""AdamW whose update of a variable is one operation where the backend has it."""

from __future__ import annotations

from typing import Any

import keras


class FusedAdamW(keras.optimizers.AdamW):
    """Keras' AdamW (Loshchilov and Hutter 2017), one pass over the memory for each variable.

    Keras composes the update of a dozen operations, each with a pass of its own over moments,
    gradient and weights; TensorFlow has them as one. The arithmetic is the same, the rounding of
    the last digits is not; and where a table's row was looked up several times, its gradients
    are added before they are squared, which Keras does after. Other backends keep Keras' own
    update, which they compile into one.
    """

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update all variables, from gradients in their order."""
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            # An embedding's comes as the rows that were looked up, one index perhaps several times.
            rows = tf.IndexedSlices
            grads = [tf.convert_to_tensor(g) if isinstance(g, rows) else g for g in grads]
        super().apply(grads, trainable_variables)

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
