"""Cross-entropy with label smoothing and a gradient in closed form.

Differentiated step by step, the loss gathers each target's logit, and the gradient of a gather is
a scatter into an array of all logits: the slowest operations of a training step once they have to
be deterministic. In closed form it is a softmax and a subtraction.

Legend: `N` tokens, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

from keras import ops


def smoothed_cross_entropy(
    logits: Any, targets: Any, weights: Any, smoothing: float, banned: int
) -> Any:
    """Sum of weighted cross-entropies, in nats, against smoothed targets.

    A target's distribution is 1 - `smoothing` on itself plus `smoothing` spread evenly over the
    tokens that may be produced (Szegedy et al. 2016).

    Args:
        logits: float32 `[N, V]`.
        targets: int `[N]`.
        weights: float32 `[N]`.
        smoothing: probability mass spread.
        banned: ids below it are never produced, and get none.

    Returns:
        A scalar. Its gradient towards the logits is `weights` times softmax minus distribution;
        there is none towards the others.
    """
    vocabulary = logits.shape[-1]
    ids = ops.arange(vocabulary, dtype=targets.dtype)
    spread = ops.cast(ids >= banned, "float32") * (smoothing / (vocabulary - banned))

    @ops.custom_gradient
    def loss(x: Any) -> Any:
        log_p = ops.log_softmax(x, axis=-1)
        losses = (smoothing - 1.0) * ops.take_along_axis(log_p, targets[:, None], axis=-1)[:, 0]
        if smoothing:
            losses = losses - ops.matmul(log_p, spread[:, None])[:, 0]

        def gradient(*arguments: Any, upstream: Any = None) -> Any:
            scale = (arguments[0] if upstream is None else upstream) * weights
            own = ops.equal(ids[None, :], targets[:, None])
            wanted = ops.where(own, spread + (1.0 - smoothing), spread)
            return (ops.exp(log_p) - wanted) * scale[:, None]

        return ops.sum(losses * weights), gradient

    return loss(logits)
