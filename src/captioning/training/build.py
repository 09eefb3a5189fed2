"""Builds the decoder that the params describe.

Legend: `C` feature channels, `V` vocabulary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captioning.model.decoder import CaptionDecoder
from captioning.params.stages import ModelParams


def build_decoder(
    params: ModelParams,
    precision: str,
    feature_shape: tuple[int, int, int],
    output_bias: NDArray[np.float32],
) -> CaptionDecoder:
    """Build an untrained decoder.

    Args:
        params: the `model` section of the params.
        precision: `float32`, or `bfloat16` for float32 weights and bfloat16 arithmetic.
        feature_shape: `(height, width, C)` of a feature map.
        output_bias: initial bias of the output layer, float32 `[V]`, see `text.output_bias`.
    """
    decoder = CaptionDecoder(
        vocabulary_size=len(output_bias),
        feature_shape=feature_shape,
        dtype=dtype_policy(precision),
        **params.model_dump(),
    )
    decoder.set_output_bias(output_bias)
    return decoder


def dtype_policy(precision: str) -> str:
    """The Keras dtype policy for `train.precision`."""
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"
