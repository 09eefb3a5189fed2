"""Makes the optimizer and its learning rate schedule, for any Keras backend."""

from __future__ import annotations

import keras

from captioning.params.stages import TrainParams
from captioning.training.adamw import FusedAdamW


def training_optimizer(params: TrainParams, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer that the `train` section describes, for training with cross-entropy."""
    return make_optimizer(
        learning_rate=params.learning_rate,
        steps=params.epochs * steps_per_epoch,
        warmup_steps=round(params.warmup_epochs * steps_per_epoch),
        schedule=params.schedule,
        weight_decay=params.weight_decay,
        clip_norm=params.clip_norm,
        average_weights=params.average_weights,
    )


def make_optimizer(
    *,
    learning_rate: float,
    steps: int,
    warmup_steps: int = 0,
    schedule: str = "cosine",
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    average_weights: float | None = None,
) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up, then a constant or cosine rate (Loshchilov and Hutter 2017).

    Biases, normalization weights and embeddings are not decayed.

    Args:
        learning_rate: peak learning rate.
        steps: number of optimizer steps, warm-up included.
        warmup_steps: number of steps in which the rate rises linearly from zero.
        schedule: `cosine` decays to zero after the warm-up, `constant` stays at the peak.
        weight_decay: decoupled weight decay.
        clip_norm: largest norm of the gradient; None means no clipping.
        average_weights: momentum of a moving average of the weights; None means no average.
    """
    # A cosine that decays to its peak is a constant rate after the warm-up.
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        decay_steps=max(steps - warmup_steps, 1),
        alpha=0.0 if schedule == "cosine" else 1.0,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    optimizer = FusedAdamW(
        rate,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        use_ema=average_weights is not None,
        ema_momentum=average_weights or 0.0,
    )
    optimizer.exclude_from_weight_decay(
        var_names=["bias", "gamma", "beta", "tokens", "positions", "cell_positions"]
    )
    return optimizer
