"""The loop over positions that all search methods share, in Keras 3 only.

Two measures save time. Attention covers the whole key/value cache, filled or not, so the cache
starts small and grows once. And since finished captions cost as much as unfinished ones, the last
few unfinished images of a batch continue as a smaller batch.

Legend: `B` images, `N` captions per image, `H` heads, `K` width of one head, `L` number of tokens
for which the cache has room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from captioning.model.decoder import Cache
from captioning.text import END, PAD

#: Number of tokens for which the cache has room at first; most captions are shorter.
INITIAL_CACHE_TOKENS = 16
#: The stragglers of a batch, its last unfinished images, continue as a smaller batch as soon as
#: they are at most one in this many of its images.
IMAGES_PER_STRAGGLER = 8

#: State of the loop: the position, an int scalar; the tokens there, int32 `[B, N]`; further values
#: that the step updates or reads, each `[B, ...]`; and the key/value cache, each `[B*N, H, L, K]`.
LoopState = tuple[Any, Any, tuple[Any, ...], Cache]
#: A step computes the next state from the image side of the decoder and the current state.
Step = Callable[[Cache, LoopState], LoopState]


def initial_cache_tokens(last: int) -> int:
    """Number of tokens for which the cache must have room at first, see `decode`."""
    return min(INITIAL_CACHE_TOKENS, last)


def is_finished(tokens: Any) -> Any:
    """Whether captions are finished, bool `[B, N]`, given their last tokens int32 `[B, N]`."""
    return ops.logical_or(ops.equal(tokens, END), ops.equal(tokens, PAD))


def decode(
    step: Step, image: Cache, tokens: Any, values: tuple[Any, ...], cache: Cache, last: int
) -> tuple[Any, ...]:
    """Apply `step` position by position until all captions are finished or of maximum length.

    Args:
        step: computes the next state. Images must not depend on one another, because finished
            images are left out.
        image: image side of the decoder, see `CaptionDecoder.encode_image`.
        tokens: first tokens, int32 `[B, N]`.
        values: initial values that `step` updates or reads, each `[B, ...]`.
        cache: empty cache with room for `initial_cache_tokens(last)` tokens.
        last: position before which the loop ends; it starts at position 0.

    Returns:
        `values` after the last step.
    """
    images = ops.shape(tokens)[0]
    # JAX knows the batch size when it compiles; in a TensorFlow graph it is a tensor.
    known = isinstance(images, int)
    stragglers = images // IMAGES_PER_STRAGGLER
    stragglers = max(stragglers, 1) if known else ops.maximum(stragglers, 1)
    state = (ops.convert_to_tensor(0), tokens, values, cache)
    if known and images <= IMAGES_PER_STRAGGLER:
        # A single loop for few images: tracing several loops would take longer than they save.
        state = _grow_cache(state, max(last - INITIAL_CACHE_TOKENS, 0))
        return _run(step, image, state, until=last, unfinished=0)[2]
    state = _run(step, image, state, initial_cache_tokens(last), stragglers)
    if last > INITIAL_CACHE_TOKENS:
        state = _run(step, image, _grow_cache(state, last - INITIAL_CACHE_TOKENS), last, stragglers)
    return _finish_stragglers(step, image, state, last, stragglers)


def take_rows(cache: Cache, rows: Any) -> Cache:
    """Select the given rows, int `[*]`, of all keys and values."""
    return tuple(
        (ops.take(keys, rows, axis=0), ops.take(values, rows, axis=0)) for keys, values in cache
    )


def _run(step: Step, image: Cache, state: LoopState, until: int, unfinished: Any) -> LoopState:
    """Apply `step` up to position `until`, or until at most `unfinished` images are unfinished."""

    def keep_going(position: Any, tokens: Any, *_: Any) -> Any:
        count = ops.sum(ops.cast(_is_unfinished_image(tokens), "int32"))
        return ops.logical_and(position < until, count > unfinished)

    ended: LoopState = ops.while_loop(keep_going, lambda *current: step(image, current), state)
    return ended


def _finish_stragglers(
    step: Step, image: Cache, state: LoopState, last: int, stragglers: Any
) -> tuple[Any, ...]:
    """Continue with at most `stragglers` unfinished images; return the values of all images."""
    position, tokens, values, cache = state
    captions = ops.shape(tokens)[1]
    _, chosen = ops.top_k(ops.cast(_is_unfinished_image(tokens), "int32"), stragglers)
    rows = ops.reshape(chosen[:, None] * captions + ops.arange(captions)[None, :], (-1,))
    part = (
        position,
        ops.take(tokens, chosen, axis=0),
        tuple(ops.take(value, chosen, axis=0) for value in values),
        take_rows(cache, rows),
    )
    ended = _run(step, take_rows(image, chosen), part, until=last, unfinished=0)
    return tuple(
        ops.scatter_update(value, chosen[:, None], update)
        for value, update in zip(values, ended[2], strict=True)
    )


def _is_unfinished_image(tokens: Any) -> Any:
    """Whether images have an unfinished caption, bool `[B]`."""
    return ops.any(ops.logical_not(is_finished(tokens)), axis=1)


def _grow_cache(state: LoopState, tokens: int) -> LoopState:
    """The state with a cache that has room for `tokens` more tokens."""
    position, last, values, cache = state
    padding = ((0, 0), (0, 0), (0, tokens), (0, 0))
    grown = tuple((ops.pad(keys, padding), ops.pad(vals, padding)) for keys, vals in cache)
    return position, last, values, grown
