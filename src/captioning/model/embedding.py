"""Embedding of tokens and their positions.

Legend: `B` captions, `T` tokens, `D` units, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="captioning")
class TokenAndPositionEmbedding(keras.layers.Layer):
    """Sum of a token embedding and a learned position embedding (the tutorial's `SeqEmbedding`).

    Args:
        vocabulary_size: number of token ids `V`; id 0 is padding.
        max_length: number of positions.
        units: width `D`.
        scale: whether token embeddings are multiplied by sqrt(D). This is needed if the table is
            also the kernel of the output layer and therefore has small values (Vaswani et al.
            2017, section 3.4).
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
        """Create the embedding tables `[V, D]` and `[max_length, D]`."""
        # With tied embeddings, small values keep the logits close to the output bias at first.
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.tokens = self.add_weight(
            shape=(self.vocabulary_size, self.units), initializer=initializer, name="tokens"
        )
        self.positions = self.add_weight(
            shape=(self.max_length, self.units), initializer=initializer, name="positions"
        )
        self.built = True

    def call(self, tokens: Any, positions: Any) -> Any:
        """Embed ids int `[B, T]` at positions int `[B, T]` or `[T]`; returns `[B, T, D]`."""
        embedded = ops.take(self.tokens, tokens, axis=0)
        if self.scale:
            embedded = embedded * self.units**0.5
        embedded = embedded + ops.take(self.positions, positions, axis=0)
        return ops.cast(embedded, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for saving."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "max_length": self.max_length,
            "units": self.units,
            "scale": self.scale,
        }
