"""Beam search, also with groups of beams that differ from each other.

Legend: `B` images, `N` beams per image, `W` beams in a group, `T` tokens (`max_length`), `V`
vocabulary.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from captioning.decoding.caption_search import CaptionSearch, best_first
from captioning.decoding.constraints import IMPOSSIBLE, Constraints
from captioning.decoding.loop import LoopState, is_finished, take_rows
from captioning.model import CaptionDecoder
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
        beam_width: number of beams `N`.
        length_penalty: exponent of the length; 0 ranks by log-probability alone.
        groups: number of groups, a divisor of `beam_width`.
        diversity: what a token loses in log-probability for each earlier beam that has chosen it.
        captions: number of captions to return for each image, at most `beam_width`; the best first.
        constraints: see `CaptionSearch`.
    """

    def __init__(
        self,
        model: CaptionDecoder,
        beam_width: int,
        length_penalty: float,
        *,
        groups: int = 1,
        diversity: float = 0.0,
        captions: int = 1,
        constraints: Constraints | None = None,
    ) -> None:
        super().__init__(model, captions, constraints)
        self.beam_width = beam_width
        self.length_penalty = length_penalty
        self.groups = groups
        self.diversity = diversity

    def call(self, features: Any, training: bool | None = None) -> dict[str, Any]:
        """Caption each image.

        Args:
            features: feature maps `[B, height, width, C]`.
            training: whether dropout is on; `predict` passes False.

        Returns:
            `tokens` int32 `[B, captions, T]`, from `[START]` to `[END]`, padded with 0; and
            `log_probability` float32 `[B, captions]`, the sum over all tokens after `[START]`.
        """
        width, images = self.beam_width, ops.shape(features)[0]
        # All beams of a group are equal at first, so only one of them may be extended.
        first = ops.equal(ops.arange(width) % self._group_width, 0)
        total = ops.broadcast_to(ops.where(first, 0.0, IMPOSSIBLE), (images, width))
        length = ops.zeros((images, width), "float32")
        sequences, total, length = self._search(features, width, (total, length))
        if self.groups > 1:
            ranks = self._ranks(total, length)
            sequences, total = best_first(ranks, sequences, total, self.captions)
        # Every step sorts the beams of a group by rank.
        return {
            "tokens": sequences[:, : self.captions],
            "log_probability": total[:, : self.captions],
        }

    @property
    def _group_width(self) -> int:
        return self.beam_width // self.groups

    def _ranks(self, total: Any, length: Any) -> Any:
        """Ranks of beams, given log-probabilities and lengths of the same shape."""
        return total / ops.maximum(length, 1.0) ** self.length_penalty

    def _step(self, image: Cache, state: LoopState) -> LoopState:
        """Add a token to every unfinished beam."""
        position, tokens, (sequences, total, length), cache = state
        logits, cache = self.model.step(tokens, position, image, cache)
        log_p = self._log_probabilities(logits, sequences, position)
        beam, chosen, total, length = self._extend_groups(log_p, tokens, total, length)
        sequences = ops.take_along_axis(sequences, beam[:, :, None], axis=1)
        sequences = ops.slice_update(sequences, (0, 0, position + 1), chosen[:, :, None])
        images = ops.arange(ops.shape(tokens)[0])
        rows = ops.reshape(beam + self.beam_width * images[:, None], (-1,))
        return position + 1, chosen, (sequences, total, length), take_rows(cache, rows)

    def _extend_groups(self, log_p: Any, tokens: Any, total: Any, length: Any) -> tuple[Any, ...]:
        """Find the best extensions of each group; arguments and results as of `_extend`, `[B, N]`.

        The beams of the results are counted from the first beam of the first group.
        """
        width = self._group_width
        found: list[tuple[Any, ...]] = []
        penalty = None
        for start in range(0, self.beam_width, width):
            group = slice(start, start + width)
            beam, chosen, *others = self._extend(
                log_p[:, group], tokens[:, group], total[:, group], length[:, group], penalty
            )
            found.append((beam + start, chosen, *others))
            if self.groups > 1:
                counts = ops.sum(ops.one_hot(chosen, log_p.shape[-1]), axis=1)
                # Finished beams are extended with padding, which says nothing about words.
                counts = counts * ops.cast(ops.arange(log_p.shape[-1]) != PAD, "float32")
                penalty = counts * self.diversity + (0.0 if penalty is None else penalty)
        return tuple(ops.concatenate(parts, axis=1) for parts in zip(*found, strict=True))

    def _extend(
        self, log_p: Any, tokens: Any, total: Any, length: Any, penalty: Any = None
    ) -> tuple[Any, ...]:
        """Find the best `W` of all extensions of a group's beams by one token.

        Args:
            log_p: log-probabilities of the next tokens, float32 `[B, W, V]`.
            tokens: last tokens of the beams, int32 `[B, W]`.
            total: log-probabilities of the beams, float32 `[B, W]`.
            length: numbers of tokens of the beams, float32 `[B, W]`.
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
        ranks = self._ranks(total[:, :, None] + scores, lengths[:, :, None])
        _, best = ops.top_k(ops.reshape(ranks, (-1, width * each)), width)
        beam = best // each
        totals = total[:, :, None] + added
        return (
            beam,
            ops.take_along_axis(ops.reshape(ids, (-1, width * each)), best, axis=1),
            ops.take_along_axis(ops.reshape(totals, (-1, width * each)), best, axis=1),
            ops.take_along_axis(lengths, beam, axis=1),
        )
