"""What searches in plain Python share: the next tokens' probabilities, and which are allowed."""

from __future__ import annotations

import numpy as np
from keras import ops
from known_decoders import VOCABULARY

from captioning.text import BANNED, END


def log_probabilities(model, feature, caption: list[int]) -> np.ndarray:
    """Of every token after `caption`, float32 `[V]`; every prefix is computed again."""
    inputs = {"features": feature[None], "tokens": np.array([caption], "int32")}
    return np.array(ops.convert_to_numpy(ops.log_softmax(model(inputs)[0, -1])))


def allowed(caption: list[int], minimum_length: int, no_repeat_ngram: int | None) -> list[int]:
    """Tokens that may follow."""
    tokens = [token for token in range(VOCABULARY) if token not in BANNED]
    if len(caption) - 1 < minimum_length:
        tokens.remove(END)
    if (n := no_repeat_ngram) is not None:
        grams = {tuple(caption[i : i + n]) for i in range(len(caption) - n + 1)}
        tokens = [t for t in tokens if (*caption, t)[len(caption) + 1 - n :] not in grams]
    return tokens
