"""From image features to captions: greedy, temperature sampling and beam search.

One loop over positions on the decoder's key/value cache, see `decoding_loop`, whole batches at a
time; the image side is computed once. Keras 3 alone: `predict` compiles the loop on any backend.

Legend: `B` images, `N` beams, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.decoding.loop import SHORT, State, decode, finished, take_rows
from captioning.model import CaptionDecoder
from captioning.model.decoder import Cache
from captioning.text import BANNED, PAD, START

_NEVER = -1e9


class _Decoder(keras.Model):
    """What all ways of decoding share: the model, and which tokens are never produced."""

    def __init__(self, model: CaptionDecoder, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        # TensorFlow has its graph; compiling that by XLA costs more than it gives on a CPU. JAX
        # without it would run operation by operation.
        self.compile(jit_compile=keras.backend.backend() == "jax")

    def _log_probabilities(self, logits: Any) -> Any:
        """Log-probabilities float32 `[B, N, V]`; banned tokens never win."""
        ids = ops.arange(self.model.vocabulary_size)
        banned = ops.any(ops.equal(ids[:, None], ops.convert_to_tensor(BANNED)[None, :]), axis=1)
        return ops.where(banned, _NEVER, ops.log_softmax(logits, axis=-1))

    def _last_position(self) -> int:
        """The loop feeds positions 0 to here, exclusive."""
        return int(self.model.max_length) - 1

    def _start(self, rows: Any, captions: int) -> tuple[Any, Any, Any]:
        """First tokens int32 `[B, N]`, sequences int32 `[B, N, T]` that begin so, the cache."""
        tokens = ops.full((rows, captions), START, dtype="int32")
        padding = ((0, 0), (0, 0), (0, self._last_position()))
        sequence = ops.pad(tokens[:, :, None], padding, constant_values=PAD)
        room = min(SHORT, self._last_position())
        return tokens, sequence, self.model.empty_cache(rows * captions, room)


class Sampler(_Decoder):
    """Captions token by token: the most probable token each time, or one drawn at random.

    The tutorial's `simple_gen` for whole batches and without running the prefix again.

    Args:
        model: the caption decoder.
        temperature: 0 takes the most probable token (greedy); above, logits are divided by it
            and a token is drawn.
        seed: of the draws.
    """

    def __init__(self, model: CaptionDecoder, temperature: float, seed: int = 0) -> None:
        super().__init__(model)
        self.temperature = temperature
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.seed_state = ops.convert_to_numpy(self.seed_generator.state.value)

    def reseed(self) -> None:
        """Draw from the start again."""
        self.seed_generator.state.assign(self.seed_state)

    def call(self, features: Any, training: bool | None = None) -> dict[str, Any]:
        """Caption `[B, height, width, C]`.

        Returns:
            `tokens` int32 `[B, T]`, from `[START]` to `[END]`, padded with 0, and
            `log_probability` float32 `[B]`, the sum over the tokens produced.
        """
        return {name: value[:, 0] for name, value in self.draw(features, 1).items()}

    def draw(self, features: Any, captions: int) -> dict[str, Any]:
        """As `call`, but several captions of each image: `[B, N, T]` and `[B, N]`."""
        rows = ops.shape(features)[0]
        tokens, sequence, cache = self._start(rows, captions)
        draws = self._draws(rows, captions)
        total = ops.zeros((rows, captions), "float32")
        kept = (sequence, total) if draws is None else (sequence, total, draws)
        image = self.model.encode_image(features)
        kept = decode(self._advance, image, tokens, kept, cache, self._last_position())
        return {"tokens": kept[0], "log_probability": kept[1]}

    def _advance(self, image: Cache, state: State) -> State:
        """One more token of every caption that is not finished."""
        position, tokens, (sequence, total, *draws), cache = state
        logits, cache = self.model.step(tokens, position, image, cache)
        log_p = self._log_probabilities(logits)
        draw = ops.take(draws[0], position, axis=2) if draws else None
        chosen = ops.where(finished(tokens), PAD, self._choose(log_p, draw))
        gained = ops.take_along_axis(log_p, chosen[:, :, None], axis=-1)[:, :, 0]
        total = total + ops.where(finished(tokens), 0.0, gained)
        sequence = ops.slice_update(sequence, (0, 0, position + 1), chosen[:, :, None])
        return position + 1, chosen, (sequence, total, *draws), cache

    def _draws(self, rows: Any, captions: int) -> Any:
        """A number from 0 to 1 for every token, float32 `[B, N, T-1]`; None where none is needed.

        Drawn before the loop: a generator's state can't change inside of JAX's.
        """
        if self.temperature == 0:
            return None
        shape = (rows, captions, self._last_position())
        return keras.random.uniform(shape, seed=self.seed_generator)

    def _choose(self, log_p: Any, draw: Any) -> Any:
        """Token ids int32 `[B, N]` from log-probabilities `[B, N, V]` and draws `[B, N]`."""
        if self.temperature == 0:
            return ops.cast(ops.argmax(log_p, axis=-1), "int32")
        # The first token at which the cumulative probability exceeds the draw.
        cumulative = ops.cumsum(ops.softmax(log_p / self.temperature, axis=-1), axis=-1)
        below = cumulative <= draw[:, :, None] * cumulative[:, :, -1:]
        chosen = ops.sum(ops.cast(below, "int32"), axis=-1)
        return ops.minimum(chosen, self.model.vocabulary_size - 1)


class BeamSearch(_Decoder):
    """The best of several captions an image, kept side by side.

    Beams are ranked by log-probability / length^penalty (Wu et al. 2016, 7, with the plain length);
    a finished beam keeps its score and its place until better ones push it out.

    Args:
        model: the caption decoder.
        beam_width: beams kept, `N`.
        length_penalty: exponent of the length; 0 ranks by log-probability alone.
    """

    def __init__(self, model: CaptionDecoder, beam_width: int, length_penalty: float) -> None:
        super().__init__(model)
        self.beam_width = beam_width
        self.length_penalty = length_penalty

    def call(self, features: Any, training: bool | None = None) -> dict[str, Any]:
        """Caption `[B, height, width, C]`.

        Returns:
            `tokens` int32 `[B, T]`, from `[START]` to `[END]`, padded with 0, and
            `log_probability` float32 `[B]`, the sum over the tokens produced.
        """
        width = self.beam_width
        rows = ops.shape(features)[0]
        tokens, sequence, cache = self._start(rows, width)
        # All beams begin alike: only the first may be extended, or they would stay alike.
        first = ops.cast(ops.arange(width) == 0, "float32")
        total = ops.broadcast_to(ops.where(first > 0, 0.0, _NEVER), (rows, width))
        kept = (sequence, total, ops.zeros((rows, width), "float32"))
        image = self.model.encode_image(features)
        kept = decode(self._advance, image, tokens, kept, cache, self._last_position())
        # Beams are sorted by rank at every step: the first is the best.
        return {"tokens": kept[0][:, 0], "log_probability": kept[1][:, 0]}

    def _advance(self, image: Cache, state: State) -> State:
        """One more token of every beam that is not finished."""
        position, tokens, (sequence, total, length), cache = state
        logits, cache = self.model.step(tokens, position, image, cache)
        beam, chosen, total, length = self._extend(logits, tokens, total, length)
        sequence = ops.take_along_axis(sequence, beam[:, :, None], axis=1)
        sequence = ops.slice_update(sequence, (0, 0, position + 1), chosen[:, :, None])
        rows = ops.arange(ops.shape(tokens)[0])
        origin = ops.reshape(beam + self.beam_width * rows[:, None], (-1,))
        return position + 1, chosen, (sequence, total, length), take_rows(cache, origin)

    def _extend(self, logits: Any, tokens: Any, total: Any, length: Any) -> tuple[Any, ...]:
        """The best `N` of all one-token extensions of the beams.

        Args:
            logits: float32 `[B, N, V]`.
            tokens: int32 `[B, N]`, the beams' last tokens.
            total: float32 `[B, N]`, the beams' log-probabilities.
            length: float32 `[B, N]`, tokens produced.

        Returns:
            Of the chosen, each `[B, N]`, best first: the beam extended, the token added, the
            log-probability and the length.
        """
        width, done = self.beam_width, finished(tokens)[:, :, None]
        # The best of all are among the best of each beam.
        each = min(width, self.model.vocabulary_size)
        log_p, ids = ops.top_k(self._log_probabilities(logits), each)
        # A finished beam has one extension, by padding, which costs nothing.
        log_p = ops.where(done, ops.where(ops.arange(each) == 0, 0.0, _NEVER), log_p)
        ids = ops.where(done, PAD, ops.cast(ids, "int32"))
        totals = total[:, :, None] + log_p
        lengths = length + ops.where(done[:, :, 0], 0.0, 1.0)
        ranks = totals / (ops.maximum(lengths, 1.0) ** self.length_penalty)[:, :, None]
        _, best = ops.top_k(ops.reshape(ranks, (-1, width * each)), width)
        beam = best // each
        return (
            beam,
            ops.take_along_axis(ops.reshape(ids, (-1, width * each)), best, axis=1),
            ops.take_along_axis(ops.reshape(totals, (-1, width * each)), best, axis=1),
            ops.take_along_axis(lengths, beam, axis=1),
        )


def make_decoder(
    model: CaptionDecoder,
    decoder: str,
    beam_width: int = 3,
    length_penalty: float = 1.0,
    temperature: float = 1.0,
    seed: int = 0,
) -> Sampler | BeamSearch:
    """The decoder that `evaluate.decoder` names: `greedy`, `sample` or `beam`."""
    if decoder == "beam":
        return BeamSearch(model, beam_width, length_penalty)
    return Sampler(model, temperature if decoder == "sample" else 0.0, seed)
