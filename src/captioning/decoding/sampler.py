"""Greedy decoding and sampling with a temperature.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.decoding.caption_search import CaptionSearch
from captioning.decoding.loop import LoopState, is_finished
from captioning.model import CaptionDecoder
from captioning.model.decoder import Cache
from captioning.text import PAD


class Sampler(CaptionSearch):
    """Builds captions token by token, with the most probable or a randomly drawn token.

    The equivalent of the TensorFlow tutorial's `simple_gen`, but for whole batches and without
    computing the prefix again for every token.

    Args:
        model: caption decoder.
        temperature: 0 chooses the most probable token (greedy decoding); otherwise logits are
            divided by the temperature, and a token is drawn.
        seed: random seed for sampling.
    """

    def __init__(self, model: CaptionDecoder, temperature: float, seed: int = 0) -> None:
        super().__init__(model)
        self.temperature = temperature
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.seed_state = ops.convert_to_numpy(self.seed_generator.state.value)

    def reseed(self) -> None:
        """Reset the random generator, so that the same random numbers are drawn again."""
        self.seed_generator.state.assign(self.seed_state)

    def call(self, features: Any, training: bool | None = None) -> dict[str, Any]:
        """Caption each image once.

        Args:
            features: feature maps `[B, height, width, C]`.
            training: whether dropout is on; `predict` passes False.

        Returns:
            `tokens` int32 `[B, T]`, from `[START]` to `[END]`, padded with 0; and
            `log_probability` float32 `[B]`, the sum over all tokens after `[START]`.
        """
        return {name: value[:, 0] for name, value in self.draw(features, 1).items()}

    def draw(self, features: Any, captions: int) -> dict[str, Any]:
        """Caption each image `captions` times; results as of `call`, `[B, N, T]` and `[B, N]`."""
        images = ops.shape(features)[0]
        random = self._random_numbers(images, captions)
        total = ops.zeros((images, captions), "float32")
        values = (total,) if random is None else (total, random)
        sequences, log_probability, *_ = self._search(features, captions, values)
        return {"tokens": sequences, "log_probability": log_probability}

    def _step(self, image: Cache, state: LoopState) -> LoopState:
        """Add a token to every unfinished caption."""
        position, tokens, (sequences, total, *random), cache = state
        logits, cache = self.model.step(tokens, position, image, cache)
        log_p = self._log_probabilities(logits)
        number = ops.take(random[0], position, axis=2) if random else None
        chosen = ops.where(is_finished(tokens), PAD, self._choose(log_p, number))
        chosen_log_p = ops.take_along_axis(log_p, chosen[:, :, None], axis=-1)[:, :, 0]
        total = total + ops.where(is_finished(tokens), 0.0, chosen_log_p)
        sequences = ops.slice_update(sequences, (0, 0, position + 1), chosen[:, :, None])
        return position + 1, chosen, (sequences, total, *random), cache

    def _random_numbers(self, images: Any, captions: int) -> Any:
        """Uniform random numbers float32 `[B, N, T-1]`, one per token; None for greedy decoding.

        They are drawn before the loop, because a JAX loop cannot update a generator's state.
        """
        if self.temperature == 0:
            return None
        shape = (images, captions, self._last_position())
        return keras.random.uniform(shape, seed=self.seed_generator)

    def _choose(self, log_p: Any, number: Any) -> Any:
        """Choose tokens.

        Args:
            log_p: log-probabilities float32 `[B, N, V]`.
            number: random numbers float32 `[B, N]` between 0 and 1; None for greedy decoding.

        Returns:
            Token ids int32 `[B, N]`.
        """
        if self.temperature == 0:
            return ops.cast(ops.argmax(log_p, axis=-1), "int32")
        # The first token at which the cumulative probability exceeds the random number.
        cumulative = ops.cumsum(ops.softmax(log_p / self.temperature, axis=-1), axis=-1)
        below = cumulative <= number[:, :, None] * cumulative[:, :, -1:]
        chosen = ops.sum(ops.cast(below, "int32"), axis=-1)
        return ops.minimum(chosen, self.model.vocabulary_size - 1)
