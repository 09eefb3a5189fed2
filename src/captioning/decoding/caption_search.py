"""Common base of the search methods: the model, the banned tokens and the initial state.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.decoding.loop import initial_cache_tokens
from captioning.model import CaptionDecoder
from captioning.text import BANNED, PAD, START

#: Log-probability of what must never be chosen; finite, so that sums and products stay finite.
IMPOSSIBLE = -1e9


class CaptionSearch(keras.Model):
    """Base class of `Sampler` and `BeamSearch`.

    The search is compiled as one graph by `predict`, on any Keras backend. Whole batches are
    decoded with the key/value cache of the model, and the image side is computed only once.

    Args:
        model: caption decoder.
    """

    def __init__(self, model: CaptionDecoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        # Without XLA, JAX would execute operation by operation. TensorFlow has its own graph, and
        # compiling that with XLA costs more time than it saves on a CPU.
        self.compile(jit_compile=keras.backend.backend() == "jax")

    def _log_probabilities(self, logits: Any) -> Any:
        """Log-probabilities float32 `[B, N, V]` of logits; `IMPOSSIBLE` for banned tokens."""
        ids = ops.arange(self.model.vocabulary_size)
        banned = ops.any(ops.equal(ids[:, None], ops.convert_to_tensor(BANNED)[None, :]), axis=1)
        return ops.where(banned, IMPOSSIBLE, ops.log_softmax(logits, axis=-1))

    def _last_position(self) -> int:
        """Position before which the loop ends: the last token is produced but not fed."""
        return int(self.model.max_length) - 1

    def _initial_state(self, images: Any, captions: int) -> tuple[Any, Any, Any]:
        """Initial tokens, sequences and cache.

        Returns:
            `START` tokens int32 `[B, N]`; sequences int32 `[B, N, T]`, which begin with them and
            are padded; and an empty key/value cache.
        """
        tokens = ops.full((images, captions), START, dtype="int32")
        padding = ((0, 0), (0, 0), (0, self._last_position()))
        sequences = ops.pad(tokens[:, :, None], padding, constant_values=PAD)
        length = initial_cache_tokens(self._last_position())
        return tokens, sequences, self.model.empty_cache(images * captions, length)
