"""Small caption decoders for tests of the search: one with known probabilities, one untrained."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from captioning.model import CaptionDecoder
from captioning.text import BANNED

VOCABULARY, LENGTH = 9, 6
FEATURES = np.random.default_rng(0).random((3, 2, 2, 4), "float32")


class TableDecoder:
    """A decoder whose next-token probabilities depend only on the last token, by a given table."""

    vocabulary_size = VOCABULARY
    max_length = LENGTH

    def __init__(self, table: dict[int, dict[int, float]]) -> None:
        rows = np.full((VOCABULARY, VOCABULARY), 1e-6, "float32")
        for token, following in table.items():
            for other, probability in following.items():
                rows[token, other] = probability
        self.log_p = ops.log(rows)

    def encode_image(self, features):
        return ()

    def empty_cache(self, rows, length):
        return ((ops.zeros((rows, 1, 1, 1)), ops.zeros((rows, 1, 1, 1))),)

    def step(self, tokens, position, image, cache):
        return ops.take(self.log_p, tokens, axis=0), cache


def untrained_decoder(**changes) -> CaptionDecoder:
    """A small decoder with random weights, large enough that captions differ between images."""
    keras.utils.set_random_seed(5)
    size = {"units": 8, "heads": 2, "feed_forward_units": 16, "max_length": LENGTH}
    model = CaptionDecoder(VOCABULARY, (2, 2, 4), **{**size, **changes})
    bias = np.zeros(VOCABULARY, "float32")
    bias[list(BANNED)] = -1e9
    model.set_output_bias(bias)
    for weight in model.trainable_weights:
        if "bias" not in weight.path:
            weight.assign(weight * 4)
    return model


def found_tokens(search) -> list[list[int]]:
    """Token ids of the best captions of `FEATURES`."""
    return search.decode(FEATURES)["tokens"][:, 0].tolist()
