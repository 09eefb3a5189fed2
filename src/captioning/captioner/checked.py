"""Checks of arrays and captions that are given to a captioner.

Legend: `B` images, `T` tokens, `C` feature channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.core.errors import InputError
from captioning.model import CaptionDecoder


def checked_maps(features: NDArray[Any], decoder: CaptionDecoder) -> NDArray[Any]:
    """Feature maps `[B, height, width, C]`, unchanged.

    Raises:
        InputError: they have another shape.
    """
    if features.ndim != 4 or features.shape[1:] != decoder.feature_shape:
        raise InputError(
            f"feature maps have shape {list(features.shape)}, but the decoder expects "
            f"{['B', *decoder.feature_shape]}: pass such maps, or images with uint8 pixels"
        )
    return features


def checked_tokens(tokens: NDArray[Any], decoder: CaptionDecoder) -> NDArray[np.int32]:
    """Token ids as int32 `[B, T]`.

    Raises:
        InputError: they are no whole numbers, have another shape, or are none of the vocabulary's.
    """
    if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
        raise InputError(
            f"token ids are an array {tokens.dtype} {list(tokens.shape)}: they must be whole "
            "numbers, [captions, tokens]"
        )
    if tokens.shape[1] > decoder.max_length:
        raise InputError(
            f"captions have {tokens.shape[1]} token ids, but the decoder reads at most "
            f"{decoder.max_length}"
        )
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < decoder.vocabulary_size:
        raise InputError(f"token ids must be between 0 and {decoder.vocabulary_size - 1}")
    return tokens.astype(np.int32)


def checked_captions(captions: Any) -> Sequence[str]:
    """Captions as text, one for each image, unchanged.

    Raises:
        InputError: it is a single text, or contains something else than text.
    """
    if isinstance(captions, str) or not all(isinstance(caption, str) for caption in captions):
        raise InputError("captions must be a list of texts, one for each image, or token ids")
    return list(captions)
