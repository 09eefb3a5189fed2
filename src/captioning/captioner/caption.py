"""A caption with its probability and where the decoder looked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Caption:
    """A caption of one image.

    Args:
        text: the caption.
        log_probability: its log-probability in nats: the sum over all tokens after `[START]`,
            including `[END]`, at temperature 1 and among all tokens, however it was found.
        words: its tokens: words, or subwords, of which "▁" begins a word.
        attention: where the decoder looked for each of `words`, float32 `[words, height, width]`;
            each map sums to 1. None if it was not asked for.
        unfamiliar: whether the image is unlike those of training, see `Captioner.unfamiliar`; None
            if that is unknown.
    """

    text: str
    log_probability: float
    words: tuple[str, ...]
    attention: NDArray[np.float32] | None = None
    unfamiliar: bool | None = None

    def __repr__(self) -> str:
        return f"Caption({self.text!r}, log_probability={self.log_probability:.2f})"
