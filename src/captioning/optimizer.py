"""The optimiser and its learning rate, in Keras 3 alone: it runs on any Keras backend."""

from __future__ import annotations

import keras

from captioning.adamw import FusedAdamW
from captioning.params import TrainParams


def make_optimizer(params: TrainParams, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW with warm-up, then a constant or cosine learning rate (Loshchilov and Hutter 2017).

    Biases, normalisation and embeddings keep their weights undecayed.
    """
    warmup = round(params.warmup_epochs * steps_per_epoch)
    # A cosine that decays to its peak is a constant rate after the warm-up.
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else params.learning_rate,
        decay_steps=max(params.epochs * steps_per_epoch - warmup, 1),
        alpha=0.0 if params.schedule == "cosine" else 1.0,
        warmup_target=params.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = FusedAdamW(
        rate,
        weight_decay=params.weight_decay,
        global_clipnorm=params.clip_norm,
        use_ema=params.average_weights is not None,
        ema_momentum=params.average_weights or 0.0,
    )
    optimizer.exclude_from_weight_decay(
        var_names=["bias", "gamma", "beta", "tokens", "positions", "cell_positions"]
    )
    return optimizer
