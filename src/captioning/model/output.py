"""From the decoder's state to logits over the vocabulary.

Legend: `B` captions, `T` tokens, `D` units, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="captioning")
class TokenLogits(keras.layers.Layer):
    """Linear layer to logits, with its own kernel or with the token embedding as kernel.

    The bias is a weight: set to the log-frequencies of the train captions it starts the loss at
    their entropy (the tutorial's `TokenOutput`, whose bias is lost on saving), and tokens banned
    by a large negative bias are never produced.

    Args:
        vocabulary_size: number of logits `V`.
        tied: whether `call` is given the kernel; otherwise the layer has its own.
    """

    def __init__(self, vocabulary_size: int, tied: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.tied = tied

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the bias `[V]` and, unless tied, the kernel `[V, D]`."""
        self.bias = self.add_weight(
            shape=(self.vocabulary_size,), initializer="zeros", name="bias", autocast=False
        )
        if not self.tied:
            self.kernel = self.add_weight(
                shape=(self.vocabulary_size, input_shape[-1]),
                initializer="glorot_uniform",
                name="kernel",
            )
        self.built = True

    def call(self, x: Any, kernel: Any = None) -> Any:
        """Logits `[B, T, V]`, float32, of `[B, T, D]`; `kernel` is `[V, D]` when tied."""
        kernel = kernel if self.tied else self.kernel
        length, units = ops.shape(x)[1], x.shape[-1]
        flat = ops.reshape(x, (-1, units))
        logits = ops.cast(_product(flat, ops.cast(kernel, x.dtype)), "float32") + self.bias
        return ops.reshape(logits, (-1, length, self.vocabulary_size))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, for saving."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "tied": self.tied,
        }


@ops.custom_gradient
def _product(x: Any, kernel: Any) -> tuple[Any, Any]:
    """`[N, D]` times the transpose of `[V, D]`: `[N, V]`.

    Differentiated by itself, the product gives the kernel's gradient transposed, `[D, V]`, which
    costs a pass over the largest of all weights to turn.
    """

    def gradient(*arguments: Any, upstream: Any = None) -> tuple[Any, Any]:
        towards = arguments[0] if upstream is None else upstream
        return ops.matmul(towards, kernel), ops.matmul(ops.transpose(towards), x)

    return ops.matmul(x, ops.transpose(kernel)), gradient
