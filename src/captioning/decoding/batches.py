"""Caption any number of images batch by batch, and compute attention maps.

This module runs on any Keras backend.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `C` feature channels.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.decoding.search import BeamSearch, Sampler
from captioning.model import CaptionDecoder

#: Number of batches decoded in parallel: many operations of a batch are too small for all cores.
PARALLEL_BATCHES = 2


def decode_all(
    decoder: Sampler | BeamSearch, features: NDArray[Any], batch_images: int
) -> dict[str, NDArray[Any]]:
    """Caption any number of images batch by batch. Batches do not influence each other.

    Args:
        decoder: search method, see `decoding.search.make_decoder`.
        features: feature maps `[B, height, width, C]`.
        batch_images: number of images in a batch.

    Returns:
        The results of the search for all images: `tokens` int32 `[B, N, T]` and `log_probability`
        float32 `[B, N]`.
    """
    starts = range(0, len(features), batch_images)
    batches = [features[start : start + batch_images] for start in starts]
    decoder.make_predict_function()
    with ThreadPoolExecutor(_workers(decoder)) as pool:
        found = list(pool.map(decoder.predict_on_batch, batches))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _workers(decoder: Sampler | BeamSearch) -> int:
    """Number of batches to decode in parallel.

    Sampling allows one, because the random numbers of a batch depend on those drawn before. JAX
    allows one as well, because Keras keeps the state outside of the model there, and parallel calls
    would overwrite it.
    """
    samples = isinstance(decoder, Sampler) and decoder.temperature > 0
    return 1 if samples or keras.backend.backend() != "tensorflow" else PARALLEL_BATCHES


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
