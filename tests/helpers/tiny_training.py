"""A decoder and a dataset that are small enough to train in seconds."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from imports import ROOT

from captioning.params.stages import load_params
from captioning.text import BANNED, START
from captioning.training.build import build_decoder

PARAMS = load_params(ROOT / "params.yaml")
VOCABULARY = 12


def make_bias() -> np.ndarray:
    bias = np.log(np.full(VOCABULARY, 1 / (VOCABULARY - len(BANNED)))).astype("float32")
    bias[list(BANNED)] = -1e9
    return bias


def make_decoder(**changes):
    keras.utils.set_random_seed(1)
    small = {"layers": 1, "units": 16, "heads": 2, "feed_forward_units": 32, "dropout": 0.0}
    model = PARAMS.model.model_copy(update={**small, "residual_dropout": 0.0, **changes})
    return build_decoder(model, "float32", (2, 2, 4), make_bias())


def make_batches(images: int = 16, batch: int = 8) -> tf.data.Dataset:
    """Images with one bright channel each, whose caption is the word of that channel, twice."""
    random = np.random.default_rng(0)
    kinds = random.integers(0, 4, images)
    features = random.normal(0, 0.1, (images, 2, 2, 4)).astype("float32")
    features[np.arange(images), :, :, kinds] += 1
    words = 5 + kinds
    captions = np.stack([np.full(images, START), words, words, np.full(images, 3)], axis=1)
    captions = captions.astype("int32")
    return tf.data.Dataset.from_tensor_slices(
        ({"features": features, "tokens": captions[:, :-1]}, captions[:, 1:])
    ).batch(batch)
