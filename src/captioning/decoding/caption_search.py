"""Common base of the search methods: the model, the rules about tokens and the initial state.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.decoding.constraints import Constraints
from captioning.decoding.loop import LoopState, decode, initial_cache_tokens
from captioning.model import CaptionDecoder
from captioning.model.decoder import Cache
from captioning.text import PAD, START


class CaptionSearch(keras.Model):
    """Base class of `Sampler` and `BeamSearch`.

    The search is compiled as one graph by `predict`, on any Keras backend. Whole batches are
    decoded with the key/value cache of the model, and the image side is computed only once.

    Args:
        model: caption decoder.
        captions: number of captions for each image, `N`.
        constraints: rules about which token may come next; None means only those that always hold.
    """

    def __init__(
        self,
        model: CaptionDecoder,
        captions: int = 1,
        constraints: Constraints | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.captions = captions
        self.constraints = constraints or Constraints()
        # Without XLA, JAX would execute operation by operation. TensorFlow has its own graph, and
        # compiling that with XLA costs more time than it saves on a CPU.
        self.compile(jit_compile=keras.backend.backend() == "jax")

    def _log_probabilities(self, logits: Any, sequences: Any, position: Any) -> Any:
        """Log-probabilities float32 `[B, N, V]` of the next tokens; `IMPOSSIBLE` if forbidden.

        Args:
            logits: float32 `[B, N, V]`.
            sequences: captions so far, int32 `[B, N, T]`.
            position: position of their last token, an int scalar.
        """
        log_p = ops.log_softmax(logits, axis=-1)
        return self.constraints.apply(log_p, sequences, position)

    def _last_position(self) -> int:
        """Position before which the loop ends: the last token is produced but not fed."""
        return int(self.model.max_length) - 1

    def _search(self, features: Any, captions: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Build `captions` captions for each image with the steps of `_step`.

        Args:
            features: feature maps `[B, height, width, C]`.
            captions: number of captions that are built for each image, `N`.
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


def best_first(ranks: Any, sequences: Any, log_probability: Any, number: int) -> tuple[Any, Any]:
    """The `number` captions of each image with the highest ranks, the best first.

    Args:
        ranks: float32 `[B, N]`.
        sequences: int32 `[B, N, T]`.
        log_probability: float32 `[B, N]`.
        number: at most `N`.

    Returns:
        Sequences int32 `[B, number, T]` and log-probabilities float32 `[B, number]`.
    """
    _, order = ops.top_k(ranks, number)
    return (
        ops.take_along_axis(sequences, order[:, :, None], axis=1),
        ops.take_along_axis(log_probability, order, axis=1),
    )
