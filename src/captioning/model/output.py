"""Output layer: logits over the vocabulary.

Legend: `B` captions, `T` tokens, `D` units, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="captioning")
class TokenLogits(keras.layers.Layer):
    """Linear layer with its own kernel, or with the token embedding as its kernel.

    If the bias is set to the log-frequencies of tokens in the train captions, the initial loss is
    their entropy. A large negative bias bans a token. The bias is a weight and is saved with the
    model; in the tutorial's `TokenOutput`, it is lost on saving.

    Args:
        vocabulary_size: number of logits `V`.
        tied: whether the kernel is passed to `call`; otherwise the layer creates its own.
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
        """Compute logits float32 `[B, T, V]` from `[B, T, D]`; `kernel` is `[V, D]` when tied."""
        kernel = kernel if self.tied else self.kernel
        length, units = ops.shape(x)[1], x.shape[-1]
        flat = ops.reshape(x, (-1, units))
        logits = (
            ops.cast(_multiply_transposed(flat, ops.cast(kernel, x.dtype)), "float32") + self.bias
        )
        return ops.reshape(logits, (-1, length, self.vocabulary_size))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for saving."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "tied": self.tied,
        }


@ops.custom_gradient
def _multiply_transposed(x: Any, kernel: Any) -> tuple[Any, Any]:
    """Multiply `x` `[N, D]` by the transpose of `kernel` `[V, D]`; returns `[N, V]`.

    Automatic differentiation would compute the gradient of the kernel transposed, `[D, V]`, and
    then transpose it, which takes another pass over the largest of all weights.
    """

    def gradient(*arguments: Any, upstream: Any = None) -> tuple[Any, Any]:
        incoming = arguments[0] if upstream is None else upstream
        return ops.matmul(incoming, kernel), ops.matmul(ops.transpose(incoming), x)

    return ops.matmul(x, ops.transpose(kernel)), gradient
