"""One transformer decoder layer: causal self-attention, cross-attention, feed-forward.

Legend: `B` images, `N` captions or beams per image, `T` tokens, `S` cells of the image grid, `D`
units, `H` heads, `K` width of one head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from captioning.model.attention import MultiHeadAttention, apply_dense


@keras.saving.register_keras_serializable(package="captioning")
class DecoderLayer(keras.layers.Layer):
    """Causal self-attention, cross-attention to the image and a feed-forward block.

    Each block has a residual connection. Layer normalization comes before the block (`norm="pre"`,
    Xiong et al. 2020) or after the sum (`norm="post"`, as in the tutorial's `DecoderLayer`).

    Args:
        units: width `D`.
        heads, key_size: shape of both attention blocks, see `MultiHeadAttention`.
        feed_forward_units: hidden width of the feed-forward block.
        activation: activation function of the feed-forward block.
        dropout: dropout rate of the attention weights and of the feed-forward block's output.
        residual_dropout: dropout rate of the output of both attention blocks.
        norm: `pre` or `post`.
    """

    def __init__(
        self,
        units: int,
        heads: int,
        key_size: int | None,
        feed_forward_units: int,
        activation: str,
        dropout: float,
        residual_dropout: float,
        norm: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = {
            "units": units,
            "heads": heads,
            "key_size": key_size,
            "feed_forward_units": feed_forward_units,
            "activation": activation,
            "dropout": dropout,
            "residual_dropout": residual_dropout,
            "norm": norm,
        }
        self.units = units
        self.norm = norm
        policy = self.dtype_policy
        self.self_attention = MultiHeadAttention(
            units, heads, key_size, dropout, dtype=policy, name="self_attention"
        )
        self.cross_attention = MultiHeadAttention(
            units, heads, key_size, dropout, dtype=policy, name="cross_attention"
        )
        self.expand = keras.layers.Dense(
            feed_forward_units, activation, dtype=policy, name="expand"
        )
        self.contract = keras.layers.Dense(units, dtype=policy, name="contract")
        self.norms = [
            keras.layers.LayerNormalization(epsilon=1e-6, dtype=policy, name=f"norm_{name}")
            for name in ("self", "cross", "feed_forward")
        ]
        self.residual_dropout = keras.layers.Dropout(residual_dropout, dtype=policy)
        self.feed_forward_dropout = keras.layers.Dropout(dropout, dtype=policy)

    def build(self, token_shape: Any, image_shape: Any) -> None:
        """Build for tokens `[B, T, D]` and an encoded image `[B, S, *]`."""
        self.self_attention.build(token_shape)
        self.cross_attention.build(token_shape, image_shape)
        self.expand.build(token_shape)
        self.contract.build((*token_shape[:-1], self.expand.units))
        for norm in self.norms:
            norm.build(token_shape)
        self.built = True

    def call(
        self, x: Any, image: tuple[Any, Any], attention_mask: Any, training: bool | None = None
    ) -> tuple[Any, Any]:
        """Process whole captions in one pass.

        Args:
            x: embedded tokens, or the output of the layer below, `[B, T, D]`.
            image: keys and values `[B, H, S, K]` from `cross_attention.project_memory`.
            attention_mask: self-attention mask, bool `[B, 1, T, T]`.
            training: whether dropout is on.

        Returns:
            The output `[B, T, D]`, and the cross-attention weights `[B, H, T, S]`.
        """

        def attend_self(y: Any) -> Any:
            keys, values = self.self_attention.project_memory(y)
            return self.self_attention.attend(y, keys, values, attention_mask, training)[0]

        def attend_image(y: Any) -> Any:
            return self.cross_attention.attend(y, *image, None, training)

        return self._blocks(x, attend_self, attend_image, training)

    def step(
        self, x: Any, cache: tuple[Any, Any], position: Any, image: tuple[Any, Any], beams: Any
    ) -> tuple[Any, tuple[Any, Any]]:
        """Process one more token of each caption, given a cache of the earlier tokens.

        Args:
            x: embedded tokens, or the output of the layer below, `[B*N, 1, D]`.
            cache: keys and values of self-attention `[B*N, H, length, K]`, filled up to `position`.
            position: position of the tokens, int scalar.
            image: keys and values of cross-attention `[B, H, S, K]`.
            beams: number `N` of captions per image.

        Returns:
            The output `[B*N, 1, D]`, and the cache with the keys and values of this token.
        """
        updated: list[Any] = []

        def attend_self(y: Any) -> Any:
            new_keys, new_values = self.self_attention.project_memory(y)
            start = (0, 0, position, 0)
            keys = ops.slice_update(cache[0], start, new_keys)
            values = ops.slice_update(cache[1], start, new_values)
            updated.extend((keys, values))
            known = ops.arange(ops.shape(keys)[2]) <= position
            return self.self_attention.attend(y, keys, values, known, False)[0]

        def attend_image(y: Any) -> Any:
            # The beams of an image form one sequence here, so its keys need not be repeated.
            joined = ops.reshape(y, (-1, beams, self.units))
            joined, weights = self.cross_attention.attend(joined, *image, None, False)
            return ops.reshape(joined, (-1, 1, self.units)), weights

        x, _ = self._blocks(x, attend_self, attend_image, False)
        return x, (updated[0], updated[1])

    def _blocks(
        self,
        x: Any,
        attend_self: Callable[[Any], Any],
        attend_image: Callable[[Any], tuple[Any, Any]],
        training: bool | None,
    ) -> tuple[Any, Any]:
        """Apply the three residual blocks, with the given functions for the two attentions."""
        weights: list[Any] = []

        def self_block(y: Any) -> Any:
            return self.residual_dropout(attend_self(y), training=training)

        def cross_block(y: Any) -> Any:
            output, image_weights = attend_image(y)
            weights.append(image_weights)
            return self.residual_dropout(output, training=training)

        def feed_forward_block(y: Any) -> Any:
            hidden = apply_dense(self.contract, apply_dense(self.expand, y))
            return self.feed_forward_dropout(hidden, training=training)

        for norm, block in zip(
            self.norms, (self_block, cross_block, feed_forward_block), strict=True
        ):
            x = x + block(norm(x)) if self.norm == "pre" else norm(x + block(x))
        return x, weights[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for saving."""
        return {**super().get_config(), **self.arguments}
