"""Rules about which token may come next, for all search methods.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `V` vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import ops

from captioning.text import BANNED, END, PAD

#: Log-probability of what must never be chosen; finite, so that sums and products stay finite.
IMPOSSIBLE = -1e9


@dataclass(frozen=True)
class Constraints:
    """Which tokens a search may choose. The log-probabilities of the other tokens do not change.

    Args:
        minimum_length: smallest number of tokens of a caption, without `[START]` and `[END]`.
        no_repeat_ngram: number of tokens of which no sequence may occur twice in a caption (Paulus
            et al. 2017, section 2.5, with trigrams); None allows all repetitions.
    """

    minimum_length: int = 0
    no_repeat_ngram: int | None = None

    def apply(self, log_p: Any, sequences: Any, position: Any) -> Any:
        """Give `IMPOSSIBLE` to the tokens that must not come next.

        Args:
            log_p: log-probabilities of the next tokens, float32 `[B, N, V]`.
            sequences: captions so far, int32 `[B, N, T]`, which begin with `[START]`.
            position: position of the last token of the captions, an int scalar.
        """
        ids = ops.arange(log_p.shape[-1])
        banned = ops.any(ops.equal(ids[:, None], ops.convert_to_tensor(BANNED)[None, :]), axis=1)
        if self.minimum_length:
            # The captions have as many tokens after [START] as the position says.
            too_short = ops.logical_and(ops.equal(ids, END), position < self.minimum_length)
            banned = ops.logical_or(banned, too_short)
        log_p = ops.where(banned, IMPOSSIBLE, log_p)
        if self.no_repeat_ngram is None or self.no_repeat_ngram > sequences.shape[2]:
            return log_p
        return _without(log_p, _repeating(sequences, position, self.no_repeat_ngram))


def _repeating(sequences: Any, position: Any, n: int) -> Any:
    """Tokens that would repeat an n-gram, int32 `[B, N, *]`; elsewhere `PAD`, banned anyway."""
    number = sequences.shape[2] - n + 1
    # N-grams that start early enough to be complete.
    matches = ops.arange(number) + n - 1 <= position
    for offset in range(n - 1):
        # The last n - 1 tokens, compared with those at every start.
        recent = ops.take(sequences, ops.maximum(position - n + 2 + offset, 0), axis=2)
        each = sequences[:, :, offset : offset + number]
        matches = ops.logical_and(matches, ops.equal(each, recent[:, :, None]))
    return ops.where(matches, sequences[:, :, n - 1 :], PAD)


def _without(log_p: Any, tokens: Any) -> Any:
    """`log_p` `[B, N, V]` with `IMPOSSIBLE` for the tokens int32 `[B, N, *]` of each caption."""
    flat = ops.reshape(log_p, (-1, log_p.shape[-1]))
    of_each = ops.reshape(tokens, (-1, tokens.shape[2]))
    rows = ops.zeros_like(of_each) + ops.arange(ops.shape(of_each)[0], dtype="int32")[:, None]
    indices = ops.stack([ops.reshape(rows, (-1,)), ops.reshape(of_each, (-1,))], axis=1)
    impossible = ops.zeros_like(indices[:, 0], dtype=log_p.dtype) + IMPOSSIBLE
    return ops.reshape(ops.scatter_update(flat, indices, impossible), ops.shape(log_p))
