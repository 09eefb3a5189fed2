"""Caption any number of images batch by batch, and compute attention maps.

This module runs on any Keras backend.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `C` feature channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.decoding.search import BeamSearch, DecodingSettings, Sampler
from captioning.model import CaptionDecoder

#: Number of batches decoded in parallel: many operations of a batch are too small for all cores.
PARALLEL_BATCHES = 2
#: Largest number of captions or beams that are decoded together; each takes memory.
MAX_BEAMS_IN_BATCH = 192


def batch_size(search: Sampler | BeamSearch) -> int:
    """Number of images in a batch that keeps within `MAX_BEAMS_IN_BATCH`."""
    beams = search.beam_width if isinstance(search, BeamSearch) else search.captions
    return max(MAX_BEAMS_IN_BATCH // beams, 1)


def decode_all(
    search: Sampler | BeamSearch,
    features: NDArray[Any],
    batch_images: int,
    settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
    streams: Sequence[int] | None = None,
) -> dict[str, NDArray[Any]]:
    """Caption any number of images batch by batch. Batches do not influence each other.

    Args:
        search: search method, see `decoding.search.make_decoder`.
        features: feature maps `[B, height, width, C]`.
        batch_images: number of images in a batch.
        settings, streams: see `CaptionSearch.make_inputs`; a stream is by default the image's place
            among all images.

    Returns:
        The results of the search for all images: `tokens` int32 `[B, N, T]` and `log_probability`
        float32 `[B, N]`.
    """
    inputs = search.make_inputs(features, settings, streams)
    batches = [
        {name: values[start : start + batch_images] for name, values in inputs.items()}
        for start in range(0, len(features), batch_images)
    ]
    search.make_predict_function()
    # Keras keeps the state outside of the model on JAX, and parallel calls would overwrite it.
    workers = PARALLEL_BATCHES if keras.backend.backend() == "tensorflow" else 1
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(search.predict_on_batch, batches))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def attention_maps(
    decoder: CaptionDecoder,
    features: NDArray[Any],
    tokens: NDArray[np.int32],
    batch_images: int,
) -> NDArray[np.float32]:
    """Compute where in the image the decoder attends for each token.

    Attention weights are averaged over layers and heads, as in the section "Attention plots" of
    the TensorFlow tutorial.

    Args:
        decoder: trained caption decoder.
        features: feature maps `[B, height, width, C]`.
        tokens: captions int32 `[B, T]`, which begin with `[START]`.
        batch_images: number of images in a batch.

    Returns:
        Maps float32 `[B, T-1, height, width]`. Map t belongs to token t + 1 and sums to 1.
    """
    height, width, _ = decoder.feature_shape
    maps = []
    for start in range(0, len(features), batch_images):
        part = slice(start, start + batch_images)
        inputs = {"features": features[part], "tokens": tokens[part, :-1]}
        _, scores = decoder(inputs, training=False, return_scores=True)
        mean = keras.ops.convert_to_numpy(scores).mean(axis=(1, 2))
        maps.append(mean.reshape(*mean.shape[:2], height, width))
    return np.concatenate(maps)
