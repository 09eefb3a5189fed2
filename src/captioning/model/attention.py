"""Multi-head attention that can return its scores and run from cached keys and values.

Legend: `B` batch, `T` queries, `S` keys, `D` units, `H` heads, `K` width of one head.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def apply_rows(dense: keras.layers.Dense, x: Any) -> Any:
    """A dense layer on `[B, T, *]` as one matrix product, which takes its bias along."""
    length, width = ops.shape(x)[1], x.shape[-1]
    return ops.reshape(dense(ops.reshape(x, (-1, width))), (-1, length, dense.units))


@keras.saving.register_keras_serializable(package="captioning")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention (Vaswani et al. 2017, "Attention Is All You Need", 3.2).

    Keys and values are projected apart from the queries, so that what does not change (the image
    for all its captions, earlier tokens while decoding) is projected once.

    Args:
        units: width `D` of the output.
        heads: number of heads `H`.
        key_size: width `K` of one head; None means `units // heads`.
        dropout: share of attention weights dropped while training.
    """

    def __init__(
        self,
        units: int,
        heads: int,
        key_size: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.key_size = key_size if key_size is not None else units // heads
        self.dropout = dropout
        width = self.heads * self.key_size
        self.query_dense = keras.layers.Dense(width, dtype=self.dtype_policy, name="query")
        self.key_dense = keras.layers.Dense(width, dtype=self.dtype_policy, name="key")
        self.value_dense = keras.layers.Dense(width, dtype=self.dtype_policy, name="value")
        self.output_dense = keras.layers.Dense(units, dtype=self.dtype_policy, name="output")
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, query_shape: tuple[int | None, ...], memory_shape: Any = None) -> None:
        """Build the projections for queries `[B, T, D]` and a memory of another width or not."""
        memory_shape = memory_shape or query_shape
        self.query_dense.build(query_shape)
        self.key_dense.build(memory_shape)
        self.value_dense.build(memory_shape)
        self.output_dense.build((*query_shape[:-1], self.heads * self.key_size))
        self.built = True

    def project_memory(self, memory: Any) -> tuple[Any, Any]:
        """Project `[B, S, *]` to keys and values, each `[B, H, S, K]`."""
        return self._split(self.key_dense, memory), self._split(self.value_dense, memory)

    def attend(
        self, query: Any, keys: Any, values: Any, mask: Any = None, training: bool | None = None
    ) -> tuple[Any, Any]:
        """Attend from `[B, T, D]` to projected keys and values.

        Args:
            query: `[B, T, D]`.
            keys, values: `[B, H, S, K]`, from `project_memory`.
            mask: bool, broadcastable to `[B, H, T, S]`; False hides a key from a query.
            training: whether dropout is on.

        Returns:
            The output `[B, T, D]` and the weights `[B, H, T, S]`, which sum to 1 over `S`.
        """
        queries = self._split(self.query_dense, query) * (self.key_size**-0.5)
        scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
        scores = ops.cast(scores, "float32")
        if mask is not None:
            scores = ops.where(mask, scores, -1e9)
        weights = _softmax_over_keys(scores)
        dropped = self.dropout_layer(ops.cast(weights, values.dtype), training=training)
        mixed = ops.swapaxes(ops.matmul(dropped, values), 1, 2)
        length = ops.shape(mixed)[1]
        joined = ops.reshape(mixed, (-1, length, self.heads * self.key_size))
        return apply_rows(self.output_dense, joined), weights

    def call(
        self,
        query: Any,
        memory: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Attend from `[B, T, D]` to `memory` `[B, S, *]` (the queries themselves when None)."""
        keys, values = self.project_memory(query if memory is None else memory)
        return self.attend(query, keys, values, attention_mask, training)[0]

    def _split(self, dense: keras.layers.Dense, x: Any) -> Any:
        """Project `[B, T, *]` to `[B, T, H*K]` and part the heads: `[B, H, T, K]`."""
        length = ops.shape(x)[1]
        heads = ops.reshape(apply_rows(dense, x), (-1, length, self.heads, self.key_size))
        return ops.swapaxes(heads, 1, 2)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, for saving."""
        return {
            **super().get_config(),
            "units": self.units,
            "heads": self.heads,
            "key_size": self.key_size,
            "dropout": self.dropout,
        }


def _softmax_over_keys(scores: Any) -> Any:
    """Attention weights of scores, both `[B, H, T, S]`."""
    if scores.shape[-1] == 1:
        # The weight of an only key is 1; Keras warns about a softmax over one element.
        return 0.0 * scores + 1.0
    return ops.softmax(scores, axis=-1)
