"""Losses and metrics over the targets that count, which are neither padding nor banned tokens.

Legend: `B` images, `T` tokens, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.text import BANNED
from captioning.training.cross_entropy import smoothed_cross_entropy


def target_mask(targets: Any) -> Any:
    """Which targets of int `[B, T]` count, bool `[B, T]`.

    Padding is not a word. Banned tokens, such as [UNK], cannot be learned, because their bias keeps
    them from being produced. The tutorial's `masked_loss` leaves out the same targets.
    """
    mask = ops.ones_like(targets, dtype="bool")
    for token in BANNED:
        mask = ops.logical_and(mask, ops.not_equal(targets, token))
    return mask


def token_cross_entropy(targets: Any, logits: Any) -> Any:
    """Cross-entropy in nats, float32 `[B, T]`, of targets int `[B, T]`."""
    # The loss of a banned target would be huge. Any allowed token can take its place, because the
    # target does not count.
    safe = ops.where(target_mask(targets), targets, max(BANNED) + 1)
    return ops.sparse_categorical_crossentropy(safe, logits, from_logits=True)


class MaskedCrossEntropy(keras.losses.Loss):
    """Mean cross-entropy over the targets that count, in nats.

    Args:
        label_smoothing: probability mass that is spread evenly over the tokens that may be produced
            (Szegedy et al. 2016). Banned tokens get none, since their logit is about -1e9.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "loss") -> None:
        super().__init__(name=name, reduction="sum")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss, a scalar, for targets int `[B, T]` and logits `[B, T, V]`."""
        # Keras converts the targets of a loss to floating point numbers.
        targets = ops.cast(y_true, "int32")
        return _mean_cross_entropy(targets, y_pred, smoothing=self.label_smoothing)


def weighted_cross_entropy(targets: Any, logits: Any, weights: Any) -> Any:
    """Mean of cross-entropy times weight over the targets that count, for policy gradients.

    If the targets are sampled from the logits and the weights are advantages (reward minus
    baseline), the gradient is that of REINFORCE (Williams 1992).

    Args:
        targets: token ids, int `[B, T]`.
        logits: `[B, T, V]`.
        weights: weight of each target, float32 `[B, T]`.
    """
    return _mean_cross_entropy(targets, logits, weights)


def _mean_cross_entropy(
    targets: Any, logits: Any, weights: Any = None, smoothing: float = 0.0
) -> Any:
    """Mean over the targets int `[B, T]` that count, each times its weight if there are weights."""
    mask = target_mask(targets)
    shares = ops.cast(mask, "float32")
    shares = shares / ops.maximum(ops.sum(shares), 1.0)
    shares = shares if weights is None else shares * weights
    first = max(BANNED) + 1
    # Any allowed token can take the place of a banned target, whose share is zero.
    safe = ops.where(mask, targets, first)
    flat = ops.reshape(logits, (-1, logits.shape[-1]))
    return smoothed_cross_entropy(
        flat, ops.reshape(safe, (-1,)), ops.reshape(shares, (-1,)), smoothing, first
    )


class TokenCrossEntropy(keras.metrics.Mean):
    """Mean cross-entropy over the targets that count, in nats, without label smoothing."""

    def __init__(self, name: str = "cross_entropy") -> None:
        super().__init__(name=name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add targets int `[B, T]` and logits `[B, T, V]`."""
        return super().update_state(token_cross_entropy(y_true, y_pred), target_mask(y_true))


class TokenAccuracy(keras.metrics.Mean):
    """Share of the targets that count whose token has the largest logit."""

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(name=name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add targets int `[B, T]` and logits `[B, T, V]`."""
        hits = ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), y_true.dtype), y_true)
        return super().update_state(ops.cast(hits, "float32"), target_mask(y_true))
