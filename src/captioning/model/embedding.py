"""Token plus learned position embedding.

Legend: `B` captions, `T` tokens, `D` units, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="captioning")
class TokenAndPositionEmbedding(keras.layers.Layer):
    """Sum of a token's and its position's embedding (the tutorial's `SeqEmbedding`).

    Args:
        vocabulary_size: number of token ids `V`; id 0 is padding.
        max_length: number of positions.
        units: width `D`.
        scale: whether token embeddings are multiplied by sqrt(D), which a table that is small
            because it also serves as output kernel needs (Vaswani et al. 2017, 3.4).
    """

    def __init__(
        self, vocabulary_size: int, max_length: int, units: int, scale: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.max_length = max_length
        self.units = units
        self.scale = scale

    def build(self, input_shape: Any = None) -> None:
        """Create the tables `[V, D]` and `[max_length, D]`."""
        # Small values keep the untrained logits near the output bias when the table is tied.
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.tokens = self.add_weight(
            shape=(self.vocabulary_size, self.units), initializer=initializer, name="tokens"
        )
        self.positions = self.add_weight(
            shape=(self.max_length, self.units), initializer=initializer, name="positions"
        )
        self.built = True

    def call(self, tokens: Any, positions: Any) -> Any:
        """Embed ids `[B, T]` that stand at `positions` int `[B, T]` or `[T]`: `[B, T, D]`."""
        embedded = ops.take(self.tokens, tokens, axis=0)
        if self.scale:
            embedded = embedded * self.units**0.5
        embedded = embedded + ops.take(self.positions, positions, axis=0)
        return ops.cast(embedded, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, for saving."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "max_length": self.max_length,
            "units": self.units,
            "scale": self.scale,
        }
