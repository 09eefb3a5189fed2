"""Beam search, also with groups of beams that differ from each other.

Legend: `B` images, `N` beams per image, `W` beams in a group, `T` tokens (`max_length`), `V`
vocabulary.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from captioning.decoding.caption_search import CaptionSearch, best_first
from captioning.decoding.constraints import IMPOSSIBLE
from captioning.decoding.loop import LoopState, is_finished, take_rows
from captioning.model.decoder import Cache
from captioning.text import PAD


class BeamSearch(CaptionSearch):
    """Extends several captions of an image in parallel and returns the best of them.

    Beams are ranked by log-probability / length^penalty (Wu et al. 2016, section 7, but with the
    plain length). A finished beam keeps its score, and its place until better beams displace it.

    With several groups, each group of beams is a search of its own, and the groups choose one after
    the other at every position. A token that beams of earlier groups have chosen there counts as
    less probable (Vijayakumar et al. 2016, with Hamming diversity). This affects only the choice,
    not the log-probability of a caption.

    Args:
        model: caption decoder.
        settings: `beam_width` is the number of beams `N`, and `beam_groups` that of the groups.
        captions: number of captions to return for each image, at most `beam_width`; the best first.
    """

    @property
    def numbers(self) -> tuple[str, ...]:
        """See `CaptionSearch.numbers`."""
        return ("length_penalty", "diversity")

    @property
    def beam_width(self) -> int:
        """Number of beams `N`."""
        return self.settings.beam_width

    @property
    def groups(self) -> int:
        """Number of groups of beams."""
        return self.settings.beam_groups

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> dict[str, Any]:
        """Caption each image.

        Args:
            inputs: `features`, feature maps `[B, height, width, C]`; `length_penalty` and
                `diversity`, float32 `[B]`.
            training: whether dropout is on; `predict` passes False.

        Returns:
            `tokens` int32 `[B, captions, T]`, from `[START]` to `[END]`, padded with 0; and
            `log_probability` float32 `[B, captions]`, the sum over all tokens after `[START]`.
        """
        features, width = inputs["features"], self.beam_width
        images = ops.shape(features)[0]
        # All beams of a group are equal at first, so only one of them may be extended.
        first = ops.equal(ops.arange(width) % self._group_width, 0)
        total = ops.broadcast_to(ops.where(first, 0.0, IMPOSSIBLE), (images, width))
        length = ops.zeros((images, width), "float32")
        numbers = (inputs["length_penalty"][:, None], inputs["diversity"][:, None])
        values = (total, length, *numbers)
        sequences, total, length, *_ = self._search(features, width, values)
        if self.groups > 1:
            ranks = _ranks(total, length, numbers[0])
            sequences, total = best_first(ranks, sequences, total, self.captions)
        # Every step sorts the beams of a group by rank.
        return {
            "tokens": sequences[:, : self.captions],
            "log_probability": total[:, : self.captions],
        }

    @property
    def _group_width(self) -> int:
        return self.beam_width // self.groups

    def _step(self, image: Cache, state: LoopState) -> LoopState:
        """Add a token to every unfinished beam."""
        position, tokens, (sequences, total, length, *numbers), cache = state
        logits, cache = self.model.step(tokens, position, image, cache)
        log_p = self._log_probabilities(logits, sequences, position)
        beam, chosen, total, length = self._extend_groups(log_p, tokens, total, length, *numbers)
        sequences = ops.take_along_axis(sequences, beam[:, :, None], axis=1)
        sequences = ops.slice_update(sequences, (0, 0, position + 1), chosen[:, :, None])
        images = ops.arange(ops.shape(tokens)[0])
        rows = ops.reshape(beam + self.beam_width * images[:, None], (-1,))
        values = (sequences, total, length, *numbers)
        return position + 1, chosen, values, take_rows(cache, rows)

    def _extend_groups(
        self, log_p: Any, tokens: Any, total: Any, length: Any, length_penalty: Any, diversity: Any
    ) -> tuple[Any, ...]:
        """Find the best extensions of each group; arguments and results as of `_extend`, `[B, N]`.

        `diversity` is float32 `[B, 1]`. The beams of the results are counted from the first beam of
        the first group.
        """
        width = self._group_width
        found: list[tuple[Any, ...]] = []
        penalty = None
        for start in range(0, self.beam_width, width):
            group = slice(start, start + width)
            beam, chosen, *others = self._extend(
                log_p[:, group],
                tokens[:, group],
                total[:, group],
                length[:, group],
                length_penalty,
                penalty,
            )
            found.append((beam + start, chosen, *others))
            if self.groups > 1:
                counts = ops.sum(ops.one_hot(chosen, log_p.shape[-1]), axis=1)
                # Finished beams are extended with padding, which says nothing about words.
                counts = counts * ops.cast(ops.arange(log_p.shape[-1]) != PAD, "float32")
                penalty = counts * diversity + (0.0 if penalty is None else penalty)
        return tuple(ops.concatenate(parts, axis=1) for parts in zip(*found, strict=True))

    def _extend(
        self,
        log_p: Any,
        tokens: Any,
        total: Any,
        length: Any,
        length_penalty: Any,
        penalty: Any = None,
    ) -> tuple[Any, ...]:
        """Find the best `W` of all extensions of a group's beams by one token.

        Args:
            log_p: log-probabilities of the next tokens, float32 `[B, W, V]`.
            tokens: last tokens of the beams, int32 `[B, W]`.
            total: log-probabilities of the beams, float32 `[B, W]`.
            length: numbers of tokens of the beams, float32 `[B, W]`.
            length_penalty: exponents of the length, float32 `[B, 1]`.
            penalty: what each token loses in log-probability, float32 `[B, V]`; None for nothing.

        Returns:
            Four tensors `[B, W]` that describe the best extensions, best first: the beam that is
            extended, the token that is added, the log-probability and the length.
        """
        width, done = self._group_width, is_finished(tokens)[:, :, None]
        # The best `W` of all extensions are among the best `W` of each beam.
        each = min(width, self.model.vocabulary_size)
        scores = log_p if penalty is None else log_p - penalty[:, None, :]
        scores, ids = ops.top_k(scores, each)
        added = scores if penalty is None else ops.take_along_axis(log_p, ids, axis=2)
        # A finished beam has exactly one extension: padding, with probability 1.
        padding = ops.where(ops.arange(each) == 0, 0.0, IMPOSSIBLE)
        scores, added = (ops.where(done, padding, values) for values in (scores, added))
        ids = ops.where(done, PAD, ops.cast(ids, "int32"))
        lengths = length + ops.where(done[:, :, 0], 0.0, 1.0)
        exponent = length_penalty[:, :, None]
        ranks = _ranks(total[:, :, None] + scores, lengths[:, :, None], exponent)
        _, best = ops.top_k(ops.reshape(ranks, (-1, width * each)), width)
        beam = best // each
        totals = total[:, :, None] + added
        return (
            beam,
            ops.take_along_axis(ops.reshape(ids, (-1, width * each)), best, axis=1),
            ops.take_along_axis(ops.reshape(totals, (-1, width * each)), best, axis=1),
            ops.take_along_axis(lengths, beam, axis=1),
        )


def _ranks(total: Any, length: Any, length_penalty: Any) -> Any:
    """Ranks of beams, given log-probabilities, lengths and exponents of broadcastable shapes."""
    return total / ops.maximum(length, 1.0) ** length_penalty
