"""Random inputs for a small decoder."""

from __future__ import annotations

import numpy as np

from captioning.text import START

VOCABULARY = 30


def make_inputs(images: int = 2, length: int = 7):
    random = np.random.default_rng(0)
    tokens = random.integers(4, VOCABULARY, (images, length)).astype("int32")
    tokens[:, 0] = START
    return {"features": random.random((images, 3, 3, 8), "float32"), "tokens": tokens}
