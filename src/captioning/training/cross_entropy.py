"""Computes cross-entropy with label smoothing and its gradient in closed form.

With automatic differentiation, the loss gathers the logit of each target, and the gradient of a
gather is a scatter into an array of all logits. Where operations must be deterministic, these are
the slowest of a training step. In closed form the gradient is a softmax and a subtraction.

Legend: `N` tokens, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

from keras import ops


def smoothed_cross_entropy(
    logits: Any, targets: Any, weights: Any, smoothing: float, banned: int
) -> Any:
    """Sum of weighted cross-entropies with smoothed targets, in nats.

    The distribution of a target has the mass 1 - `smoothing` on the target itself; `smoothing` is
    spread evenly over all tokens that may be produced (Szegedy et al. 2016).

    Args:
        logits: float32 `[N, V]`.
        targets: token ids, int `[N]`.
        weights: weight of each target, float32 `[N]`.
        smoothing: probability mass that is spread.
        banned: number of banned tokens; ids below it are never produced and get no mass.

    Returns:
        The sum, a scalar. Its gradient with respect to the logits is `weights` times the difference
        of softmax and distribution. The other arguments get no gradient.
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
            distribution = ops.where(own, spread + (1.0 - smoothing), spread)
            return (ops.exp(log_p) - distribution) * scale[:, None]

        return ops.sum(losses * weights), gradient

    return loss(logits)
