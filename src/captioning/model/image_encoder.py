"""Encoding of an image's feature map as a sequence for cross-attention.

Legend: `B` images, `S` cells of the grid, `C` feature channels, `D` units.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.model.attention import apply_dense


@keras.saving.register_keras_serializable(package="captioning")
class ImageEncoder(keras.layers.Layer):
    """Flattens the grid, optionally projects it and adds learned positions, then applies dropout.

    Without projection and positions, the result is the raw features of each cell, as in the
    tutorial.

    Args:
        units: width `D` of the projection.
        project: whether features are projected to `units` and normalized.
        positions: whether a learned position vector is added to each cell.
        dropout: dropout rate of the result.
    """

    def __init__(
        self, units: int, project: bool, positions: bool, dropout: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.project = project
        self.positions = positions
        self.dropout = dropout
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        if project:
            self.projection = keras.layers.Dense(units, dtype=self.dtype_policy, name="projection")
            self.norm = keras.layers.LayerNormalization(epsilon=1e-6, dtype=self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build for feature maps `[B, height, width, C]` of known height, width and `C`."""
        height, width, channels = (int(size or 0) for size in input_shape[1:])
        out = channels
        if self.project:
            self.projection.build((None, None, channels))
            self.norm.build((None, None, self.units))
            out = self.units
        if self.positions:
            self.cell_positions = self.add_weight(
                shape=(height * width, out),
                # Nearly as large as the cells' values: smaller ones would be learned late.
                initializer=keras.initializers.RandomNormal(stddev=0.3),
                name="cell_positions",
            )
        self.built = True

    def call(self, features: Any, training: bool | None = None) -> Any:
        """Encode `[B, height, width, C]` as `[B, S, D]`, or `[B, S, C]` without projection."""
        _, height, width, channels = features.shape
        cells = ops.reshape(ops.cast(features, self.compute_dtype), (-1, height * width, channels))
        if self.project:
            cells = self.norm(apply_dense(self.projection, cells))
        if self.positions:
            cells = cells + ops.cast(self.cell_positions, cells.dtype)
        return self.dropout_layer(cells, training=training)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for saving."""
        return {
            **super().get_config(),
            "units": self.units,
            "project": self.project,
            "positions": self.positions,
            "dropout": self.dropout,
        }
