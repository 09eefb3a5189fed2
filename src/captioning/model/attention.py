"""Multi-head attention that can return its weights and reuse projected keys and values.

Legend: `B` batch, `T` queries, `S` keys, `D` units, `H` heads, `K` width of one head.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def apply_dense(dense: keras.layers.Dense, x: Any) -> Any:
    """Apply a dense layer to `[B, T, *]` as a single matrix product, with the bias included."""
    length, width = ops.shape(x)[1], x.shape[-1]
    return ops.reshape(dense(ops.reshape(x, (-1, width))), (-1, length, dense.units))


@keras.saving.register_keras_serializable(package="captioning")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention (Vaswani et al. 2017, "Attention Is All You Need", 3.2).

    Keys and values are projected separately from the queries, so that constant inputs are
    projected only once: the image for all its captions, and earlier tokens during decoding.

    Args:
        units: width `D` of the output.
        heads: number of heads `H`.
        key_size: width `K` of one head; None means `units // heads`.
        dropout: share of attention weights dropped during training.
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
        """Build the projections for queries `[B, T, D]` and a memory `[B, S, *]`."""
        memory_shape = memory_shape or query_shape
        self.query_dense.build(query_shape)
        self.key_dense.build(memory_shape)
        self.value_dense.build(memory_shape)
        self.output_dense.build((*query_shape[:-1], self.heads * self.key_size))
        self.built = True

    def project_memory(self, memory: Any) -> tuple[Any, Any]:
        """Project a memory `[B, S, *]` to keys and values, each `[B, H, S, K]`."""
        return self._project_heads(self.key_dense, memory), self._project_heads(
            self.value_dense, memory
        )

    def attend(
        self, query: Any, keys: Any, values: Any, mask: Any = None, training: bool | None = None
    ) -> tuple[Any, Any]:
        """Attend from queries to projected keys and values.

        Args:
            query: queries `[B, T, D]`.
            keys, values: projections `[B, H, S, K]` from `project_memory`.
            mask: bool mask, broadcastable to `[B, H, T, S]`; False hides a key from a query.
            training: whether dropout is on.

        Returns:
            The output `[B, T, D]`, and the weights `[B, H, T, S]`, which sum to 1 over `S`.
        """
        queries = self._project_heads(self.query_dense, query) * (self.key_size**-0.5)
        scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
        scores = ops.cast(scores, "float32")
        if mask is not None:
            scores = ops.where(mask, scores, -1e9)
        weights = _softmax_over_keys(scores)
        dropped = self.dropout_layer(ops.cast(weights, values.dtype), training=training)
        mixed = ops.swapaxes(ops.matmul(dropped, values), 1, 2)
        length = ops.shape(mixed)[1]
        joined = ops.reshape(mixed, (-1, length, self.heads * self.key_size))
        return apply_dense(self.output_dense, joined), weights

    def call(
        self,
        query: Any,
        memory: Any = None,
        attention_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """Attend from queries `[B, T, D]` to `memory` `[B, S, *]`; None means to the queries."""
        keys, values = self.project_memory(query if memory is None else memory)
        return self.attend(query, keys, values, attention_mask, training)[0]

    def _project_heads(self, dense: keras.layers.Dense, x: Any) -> Any:
        """Project `[B, T, *]` to `[B, T, H*K]` and split the heads: `[B, H, T, K]`."""
        length = ops.shape(x)[1]
        heads = ops.reshape(apply_dense(dense, x), (-1, length, self.heads, self.key_size))
        return ops.swapaxes(heads, 1, 2)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for saving."""
        return {
            **super().get_config(),
            "units": self.units,
            "heads": self.heads,
            "key_size": self.key_size,
            "dropout": self.dropout,
        }


def _softmax_over_keys(scores: Any) -> Any:
    """Compute attention weights from scores, both `[B, H, T, S]`."""
    if scores.shape[-1] == 1:
        # A single key has the weight 1. Keras would warn about a softmax over one element.
        return 0.0 * scores + 1.0
    return ops.softmax(scores, axis=-1)
