"""Greedy decoding and sampling, with a temperature and from the most probable tokens alone.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.decoding.caption_search import CaptionSearch, best_first
from captioning.decoding.constraints import IMPOSSIBLE, Constraints
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
        top_k: number of tokens, the most probable ones, from which one is drawn (Fan et al. 2018);
            None means all.
        top_p: tokens are drawn from the fewest that have this probability together, at the given
            temperature (nucleus sampling, Holtzman et al. 2020); None means all.
        captions: number of captions drawn for each image, `N`; the most probable comes first.
        constraints: see `CaptionSearch`.
    """

    def __init__(
        self,
        model: CaptionDecoder,
        temperature: float,
        seed: int = 0,
        *,
        top_k: int | None = None,
        top_p: float | None = None,
        captions: int = 1,
        constraints: Constraints | None = None,
    ) -> None:
        super().__init__(model, captions, constraints)
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.seed_state = ops.convert_to_numpy(self.seed_generator.state.value)

    def reseed(self) -> None:
        """Reset the random generator, so that the same random numbers are drawn again."""
        self.seed_generator.state.assign(self.seed_state)

    def call(self, features: Any, training: bool | None = None) -> dict[str, Any]:
        """Caption each image.

        Args:
            features: feature maps `[B, height, width, C]`.
            training: whether dropout is on; `predict` passes False.

        Returns:
            `tokens` int32 `[B, N, T]`, from `[START]` to `[END]`, padded with 0; and
            `log_probability` float32 `[B, N]`, the sum over all tokens after `[START]`, at
            temperature 1 and of all tokens, however they were drawn.
        """
        drawn = self.draw(features, self.captions)
        if self.captions == 1:
            return drawn
        total = drawn["log_probability"]
        tokens, total = best_first(total, drawn["tokens"], total, self.captions)
        return {"tokens": tokens, "log_probability": total}

    def draw(self, features: Any, captions: int) -> dict[str, Any]:
        """Caption each image `captions` times; results as of `call`, in the order of drawing."""
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
        log_p = self._log_probabilities(logits, sequences, position)
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
        cumulative = ops.cumsum(ops.softmax(self._candidates(log_p), axis=-1), axis=-1)
        below = cumulative <= number[:, :, None] * cumulative[:, :, -1:]
        chosen = ops.sum(ops.cast(below, "int32"), axis=-1)
        return ops.minimum(chosen, self.model.vocabulary_size - 1)

    def _candidates(self, log_p: Any) -> Any:
        """Logits `[B, N, V]` to draw from: at the temperature, `IMPOSSIBLE` for the improbable."""
        logits = log_p / self.temperature
        if self.top_k is not None and self.top_k < self.model.vocabulary_size:
            highest, _ = ops.top_k(logits, self.top_k)
            logits = ops.where(logits < highest[:, :, -1:], IMPOSSIBLE, logits)
        if self.top_p is not None and self.top_p < 1:
            p = ops.softmax(logits, axis=-1)
            falling = ops.flip(ops.sort(p, axis=-1), axis=-1)
            # The probability of all that are more probable does not suffice.
            needed = ops.cumsum(falling, axis=-1) - falling < self.top_p
            lowest = ops.min(ops.where(needed, falling, 1.0), axis=-1, keepdims=True)
            logits = ops.where(p < lowest, IMPOSSIBLE, logits)
        return logits
