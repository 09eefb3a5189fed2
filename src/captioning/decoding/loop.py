"""The loop over positions that all ways of decoding share, in Keras 3 alone.

Attention is over the cache, filled or not, so the cache begins short; and what is finished costs
as much as what is not, so the last few images go on by themselves.

Legend: `B` images, `N` captions of an image, `H` heads, `K` width of one head, `L` tokens that the
cache has room for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from captioning.model.decoder import Cache
from captioning.text import END, PAD

#: Tokens that the cache has room for at first: most captions are shorter.
SHORT = 16
#: A batch goes on whole until no more than one in so many of its images is unfinished.
FEW = 8

#: Position (int scalar), last tokens int32 `[B, N]`, whatever else is kept, each `[B, N, ...]`,
#: and the key/value cache, each `[B*N, H, L, K]`.
State = tuple[Any, Any, tuple[Any, ...], Cache]
Advance = Callable[[Cache, State], State]


def finished(tokens: Any) -> Any:
    """Whether captions are, bool `[B, N]`, by their last tokens int32 `[B, N]`."""
    return ops.logical_or(ops.equal(tokens, END), ops.equal(tokens, PAD))


def decode(
    advance: Advance, image: Cache, tokens: Any, kept: tuple[Any, ...], cache: Cache, last: int
) -> tuple[Any, ...]:
    """Run `advance` until all captions are finished or as long as can be.

    Args:
        advance: from an image side and a state to the state one position on. Images must not
            depend on one another: they are left out when finished.
        image: the decoder's image side, see `CaptionDecoder.encode_image`.
        tokens: int32 `[B, N]`, the first ones.
        kept: what else goes from position to position, each `[B, N, ...]`.
        cache: empty, with room for `min(SHORT, last)` tokens.
        last: positions 0 to here, exclusive, are fed.

    Returns:
        `kept` as the last position left it.
    """
    rows, captions = ops.shape(tokens)[0], ops.shape(tokens)[1]
    # An array program's sizes are known when it is compiled; a graph's are tensors.
    few = max(rows // FEW, 1) if isinstance(rows, int) else ops.maximum(rows // FEW, 1)
    state = (ops.convert_to_tensor(0), tokens, kept, cache)
    if isinstance(rows, int) and rows <= FEW:
        # One loop for one picture or a few: tracing several would take longer than they save.
        return _loop(advance, image, _with_room(state, max(last - SHORT, 0)), last, 0)[2]
    state = _loop(advance, image, state, min(SHORT, last), few)
    if last > SHORT:
        state = _loop(advance, image, _with_room(state, last - SHORT), last, few)
    position, tokens, kept, cache = state
    _, chosen = ops.top_k(ops.cast(_unfinished(tokens), "int32"), few)
    row = ops.reshape(chosen[:, None] * captions + ops.arange(captions)[None, :], (-1,))
    part = (
        position,
        ops.take(tokens, chosen, axis=0),
        tuple(ops.take(value, chosen, axis=0) for value in kept),
        take_rows(cache, row),
    )
    _, _, ends, _ = _loop(advance, take_rows(image, chosen), part, last, 0)
    return tuple(
        ops.scatter_update(value, chosen[:, None], end)
        for value, end in zip(kept, ends, strict=True)
    )


def take_rows(cache: Cache, rows: Any) -> Cache:
    """These rows, int `[*]`, of all keys and values."""
    return tuple(
        (ops.take(keys, rows, axis=0), ops.take(values, rows, axis=0)) for keys, values in cache
    )


def _unfinished(tokens: Any) -> Any:
    """Which images have a caption that is not finished, bool `[B]`."""
    return ops.any(ops.logical_not(finished(tokens)), axis=1)


def _loop(advance: Advance, image: Cache, state: State, until: int, few: Any) -> State:
    """Advance to position `until`, or until no more than `few` images are unfinished."""

    def more(position: Any, tokens: Any, *_: Any) -> Any:
        count = ops.sum(ops.cast(_unfinished(tokens), "int32"))
        return ops.logical_and(position < until, count > few)

    ended: State = ops.while_loop(more, lambda *state: advance(image, state), state)
    return ended


def _with_room(state: State, tokens: int) -> State:
    """The state with a cache for so many more tokens."""
    position, last, kept, cache = state
    padding = ((0, 0), (0, 0), (0, tokens), (0, 0))
    longer = tuple((ops.pad(keys, padding), ops.pad(values, padding)) for keys, values in cache)
    return position, last, kept, longer
