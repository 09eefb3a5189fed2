"""Loss and metrics over the tokens that count: neither padding nor a banned token as target.

Legend: `B` images, `T` tokens, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.text import BANNED
from captioning.training.cross_entropy import smoothed_cross_entropy


def target_mask(targets: Any) -> Any:
    """True where a target of int `[B, T]` counts.

    Padding is no word, and banned tokens (an out-of-vocabulary word) can't be learnt: their bias
    keeps them from ever being produced. The tutorial's `masked_loss` leaves out the same.
    """
    mask = ops.ones_like(targets, dtype="bool")
    for token in BANNED:
        mask = ops.logical_and(mask, ops.not_equal(targets, token))
    return mask


def token_cross_entropy(targets: Any, logits: Any) -> Any:
    """Cross-entropy in nats, float32 `[B, T]`, of targets int `[B, T]`."""
    # A banned target would give a huge loss times a zero mask; any allowed one stands in for it.
    safe = ops.where(target_mask(targets), targets, max(BANNED) + 1)
    return ops.sparse_categorical_crossentropy(safe, logits, from_logits=True)


class MaskedCrossEntropy(keras.losses.Loss):
    """Mean cross-entropy over the targets that count, in nats.

    Args:
        label_smoothing: probability mass spread evenly over the tokens that may be produced
            (Szegedy et al. 2016); a banned one's logit, about -1e9, must have no part in it.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "loss") -> None:
        super().__init__(name=name, reduction="sum")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Scalar loss of targets int `[B, T]` and logits `[B, T, V]`."""
        # Keras converts the targets of a loss to floating point.
        targets = ops.cast(y_true, "int32")
        return _mean_cross_entropy(targets, y_pred, smoothing=self.label_smoothing)


def weighted_cross_entropy(targets: Any, logits: Any, weights: Any) -> Any:
    """Mean over the targets that count of cross-entropy times weight: a policy gradient's loss.

    Its gradient is that of REINFORCE (Williams 1992) when targets were drawn from the logits and
    weights say how much better than expected the draw was.

    Args:
        targets: int `[B, T]`.
        logits: `[B, T, V]`.
        weights: float32 `[B, T]`.
    """
    return _mean_cross_entropy(targets, logits, weights)


def _mean_cross_entropy(
    targets: Any, logits: Any, weights: Any = None, smoothing: float = 0.0
) -> Any:
    """Scalar mean over the targets int `[B, T]` that count, times `weights` `[B, T]` if given."""
    mask = target_mask(targets)
    shares = ops.cast(mask, "float32")
    shares = shares / ops.maximum(ops.sum(shares), 1.0)
    shares = shares if weights is None else shares * weights
    first = max(BANNED) + 1
    # Any allowed target may stand in for a banned one, whose share is zero.
    safe = ops.where(mask, targets, first)
    flat = ops.reshape(logits, (-1, logits.shape[-1]))
    return smoothed_cross_entropy(
        flat, ops.reshape(safe, (-1,)), ops.reshape(shares, (-1,)), smoothing, first
    )


class TokenCrossEntropy(keras.metrics.Mean):
    """Unsmoothed cross-entropy a token, in nats, over all targets that count."""

    def __init__(self, name: str = "cross_entropy") -> None:
        super().__init__(name=name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add targets int `[B, T]` and logits `[B, T, V]`."""
        return super().update_state(token_cross_entropy(y_true, y_pred), target_mask(y_true))


class TokenAccuracy(keras.metrics.Mean):
    """Share of the targets that count to which the model gives the largest logit."""

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(name=name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add targets int `[B, T]` and logits `[B, T, V]`."""
        hits = ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), y_true.dtype), y_true)
        return super().update_state(ops.cast(hits, "float32"), target_mask(y_true))
