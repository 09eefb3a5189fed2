"""Beam search.

Legend: `B` images, `N` beams per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from captioning.decoding.caption_search import IMPOSSIBLE, CaptionSearch
from captioning.decoding.loop import LoopState, is_finished, take_rows
from captioning.model import CaptionDecoder
from captioning.model.decoder import Cache
from captioning.text import PAD


class BeamSearch(CaptionSearch):
    """Extends several captions of an image in parallel and returns the best of them.

    Beams are ranked by log-probability / length^penalty (Wu et al. 2016, section 7, but with the
    plain length). A finished beam keeps its score, and its place until better beams displace it.

    Args:
        model: caption decoder.
        beam_width: number of beams `N`.
        length_penalty: exponent of the length; 0 ranks by log-probability alone.
    """

    def __init__(self, model: CaptionDecoder, beam_width: int, length_penalty: float) -> None:
        super().__init__(model)
        self.beam_width = beam_width
        self.length_penalty = length_penalty

    def call(self, features: Any, training: bool | None = None) -> dict[str, Any]:
        """Caption each image.

        Args:
            features: feature maps `[B, height, width, C]`.
            training: whether dropout is on; `predict` passes False.

        Returns:
            `tokens` int32 `[B, T]`, from `[START]` to `[END]`, padded with 0; and
            `log_probability` float32 `[B]`, the sum over all tokens after `[START]`.
        """
        width = self.beam_width
        images = ops.shape(features)[0]
        # All beams are equal at first, so only one of them may be extended.
        first = ops.cast(ops.arange(width) == 0, "float32")
        total = ops.broadcast_to(ops.where(first > 0, 0.0, IMPOSSIBLE), (images, width))
        length = ops.zeros((images, width), "float32")
        sequences, log_probability, _ = self._search(features, width, (total, length))
        # Every step sorts the beams by rank, so the first one is the best.
        return {"tokens": sequences[:, 0], "log_probability": log_probability[:, 0]}

    def _step(self, image: Cache, state: LoopState) -> LoopState:
        """Add a token to every unfinished beam."""
        position, tokens, (sequences, total, length), cache = state
        logits, cache = self.model.step(tokens, position, image, cache)
        beam, chosen, total, length = self._extend(logits, tokens, total, length)
        sequences = ops.take_along_axis(sequences, beam[:, :, None], axis=1)
        sequences = ops.slice_update(sequences, (0, 0, position + 1), chosen[:, :, None])
        images = ops.arange(ops.shape(tokens)[0])
        rows = ops.reshape(beam + self.beam_width * images[:, None], (-1,))
        return position + 1, chosen, (sequences, total, length), take_rows(cache, rows)

    def _extend(self, logits: Any, tokens: Any, total: Any, length: Any) -> tuple[Any, ...]:
        """Find the best `N` of all extensions of the beams by one token.

        Args:
            logits: float32 `[B, N, V]`.
            tokens: last tokens of the beams, int32 `[B, N]`.
            total: log-probabilities of the beams, float32 `[B, N]`.
            length: numbers of tokens of the beams, float32 `[B, N]`.

        Returns:
            Four tensors `[B, N]` that describe the best extensions, best first: the beam that is
            extended, the token that is added, the log-probability and the length.
        """
        width, done = self.beam_width, is_finished(tokens)[:, :, None]
        # The best `N` of all extensions are among the best `N` of each beam.
        each = min(width, self.model.vocabulary_size)
        log_p, ids = ops.top_k(self._log_probabilities(logits), each)
        # A finished beam has exactly one extension: padding, with probability 1.
        log_p = ops.where(done, ops.where(ops.arange(each) == 0, 0.0, IMPOSSIBLE), log_p)
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
