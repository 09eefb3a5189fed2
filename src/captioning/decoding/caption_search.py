"""Common base of the search methods: the model, the banned tokens and the initial state.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.decoding.loop import LoopState, decode, initial_cache_tokens
from captioning.model import CaptionDecoder
from captioning.model.decoder import Cache
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

    def _search(self, features: Any, captions: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Caption each image `captions` times with the steps of `_step`.

        Args:
            features: feature maps `[B, height, width, C]`.
            captions: number of captions per image, `N`.
            values: initial values that the steps update beside the sequences, each `[B, N, ...]`.

        Returns:
            Sequences int32 `[B, N, T]`, which begin with `START` and are padded, and the values.
        """
        images = ops.shape(features)[0]
        last = self._last_position()
        tokens = ops.full((images, captions), START, dtype="int32")
        padding = ((0, 0), (0, 0), (0, last))
        sequences = ops.pad(tokens[:, :, None], padding, constant_values=PAD)
        cache = self.model.empty_cache(images * captions, initial_cache_tokens(last))
        image = self.model.encode_image(features)
        return decode(self._step, image, tokens, (sequences, *values), cache, last)

    def _step(self, image: Cache, state: LoopState) -> LoopState:
        """Add a token to every unfinished caption, see `loop.Step`."""
        raise NotImplementedError
