"""Greedy decoding and sampling, with a temperature and from the most probable tokens alone.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops
from numpy.typing import NDArray

from captioning.decoding.caption_search import CaptionSearch, best_first
from captioning.decoding.constraints import IMPOSSIBLE
from captioning.decoding.loop import LoopState, is_finished
from captioning.decoding.random_numbers import uniform_numbers
from captioning.decoding.settings import DecodingSettings
from captioning.model.decoder import Cache
from captioning.text import PAD


class Sampler(CaptionSearch):
    """Builds captions token by token, with the most probable or a randomly drawn token.

    The equivalent of the TensorFlow tutorial's `simple_gen`, but for whole batches and without
    computing the prefix again for every token.

    The decoder `greedy` takes the most probable token. The decoder `sample` divides the logits by
    the temperature and draws a token: from the `top_k` most probable ones (Fan et al. 2018), and
    from the fewest that have the probability `top_p` together, at that temperature (nucleus
    sampling, Holtzman et al. 2020).

    Args:
        model: caption decoder.
        settings: how captions are searched for.
        captions: number of captions drawn for each image, `N`; the most probable comes first.
    """

    @property
    def is_greedy(self) -> bool:
        """Whether the most probable token is taken."""
        return self.settings.decoder == "greedy"

    @property
    def numbers(self) -> tuple[str, ...]:
        """See `CaptionSearch.numbers`."""
        return () if self.is_greedy else ("temperature", "top_p")

    def make_inputs(
        self,
        features: NDArray[Any],
        settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
        streams: Sequence[int] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """The inputs of `call` for a batch of images, see `CaptionSearch.make_inputs`."""
        each = self.settings_of_each(len(features), settings)
        found = super().make_inputs(features, each)
        if not self.is_greedy:
            streams = range(len(features)) if streams is None else streams
            seeds = [one.seed for one in each]
            shape = (len(features), self.captions, self.last_position)
            drawn = uniform_numbers(seeds, streams, self.captions * self.last_position)
            found["random"] = drawn.reshape(shape)
        return found

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> dict[str, Any]:
        """Caption each image.

        Args:
            inputs: `features`, feature maps `[B, height, width, C]`. For sampling also
                `temperature` and `top_p`, float32 `[B]`, and `random`, a uniform random number for
                each token, float32 `[B, N, T-1]`.
            training: whether dropout is on; `predict` passes False.

        Returns:
            `tokens` int32 `[B, N, T]`, from `[START]` to `[END]`, padded with 0; and
            `log_probability` float32 `[B, N]`, the sum over all tokens after `[START]`, at
            temperature 1 and of all tokens, however they were drawn.
        """
        drawn = self.draw(inputs)
        if self.captions == 1:
            return drawn
        total = drawn["log_probability"]
        tokens, total = best_first(total, drawn["tokens"], total, self.captions)
        return {"tokens": tokens, "log_probability": total}

    def draw(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Caption each image; arguments and results as of `call`, in the order of drawing."""
        images = ops.shape(inputs["features"])[0]
        values = [ops.zeros((images, self.captions), "float32")]
        if not self.is_greedy:
            per_image = (inputs[name][:, None, None] for name in self.numbers)
            values += [inputs["random"], *per_image]
        found = self._search(inputs["features"], self.captions, tuple(values))
        return {"tokens": found[0], "log_probability": found[1]}

    def _step(self, image: Cache, state: LoopState) -> LoopState:
        """Add a token to every unfinished caption."""
        position, tokens, (sequences, total, *numbers), cache = state
        logits, cache = self.model.step(tokens, position, image, cache)
        log_p = self._log_probabilities(logits, sequences, position)
        chosen = self._choose(log_p, position, *numbers)
        chosen = ops.where(is_finished(tokens), PAD, chosen)
        chosen_log_p = ops.take_along_axis(log_p, chosen[:, :, None], axis=-1)[:, :, 0]
        total = total + ops.where(is_finished(tokens), 0.0, chosen_log_p)
        sequences = ops.slice_update(sequences, (0, 0, position + 1), chosen[:, :, None])
        return position + 1, chosen, (sequences, total, *numbers), cache

    def _choose(self, log_p: Any, position: Any, *numbers: Any) -> Any:
        """Choose tokens.

        Args:
            log_p: log-probabilities float32 `[B, N, V]`.
            position: an int scalar, the place of this step's random numbers.
            numbers: `random`, and the other inputs as `[B, 1, 1]`; nothing for greedy decoding.

        Returns:
            Token ids int32 `[B, N]`.
        """
        if not numbers:
            return ops.cast(ops.argmax(log_p, axis=-1), "int32")
        random, temperature, top_p = numbers
        number = ops.take(random, position, axis=2)[:, :, None]
        # The first token at which the cumulative probability exceeds the random number.
        candidates = self._candidates(log_p / temperature, top_p)
        cumulative = ops.cumsum(ops.softmax(candidates, axis=-1), axis=-1)
        below = cumulative <= number * cumulative[:, :, -1:]
        chosen = ops.sum(ops.cast(below, "int32"), axis=-1)
        return ops.minimum(chosen, self.model.vocabulary_size - 1)

    def _candidates(self, logits: Any, top_p: Any) -> Any:
        """Logits `[B, N, V]` to draw from, given all logits: `IMPOSSIBLE` for the improbable."""
        top_k = self.settings.top_k
        if top_k is not None and top_k < self.model.vocabulary_size:
            highest, _ = ops.top_k(logits, top_k)
            logits = ops.where(logits < highest[:, :, -1:], IMPOSSIBLE, logits)
        if self.settings.top_p is not None:
            p = ops.softmax(logits, axis=-1)
            falling = ops.flip(ops.sort(p, axis=-1), axis=-1)
            # The probability of all that are more probable does not suffice.
            needed = ops.cumsum(falling, axis=-1) - falling < top_p
            lowest = ops.min(ops.where(needed, falling, 1.0), axis=-1, keepdims=True)
            # Sums of rounded numbers reach 1 too early.
            lowest = ops.where(top_p < 1, lowest, 0.0)
            logits = ops.where(p < lowest, IMPOSSIBLE, logits)
        return logits
