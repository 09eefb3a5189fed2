"""The optimiser and its learning rate, in Keras 3 alone: it runs on any Keras backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from captioning.params import TrainParams


@keras.saving.register_keras_serializable(package="captioning")
class DenseAdamW(keras.optimizers.AdamW):
    """AdamW for which an embedding's gradient is that of every row, as for other weights.

    On TensorFlow the gradient of a lookup lists a row once for each of its occurrences. Keras would
    square these one by one, for the second moment and for the norm that is clipped, where the
    square of their sum is meant and what other backends give.
    """

    def apply(self, grads: Iterable[Any], trainable_variables: Any = None) -> None:
        """Update the variables (those the optimiser was built for, if None) by their gradients."""
        variables = list(trainable_variables or self._trainable_variables)
        # Of a gradient that lists single rows, any reshape makes a tensor.
        dense = [
            None if grad is None else ops.reshape(grad, variable.shape)
            for grad, variable in zip(grads, variables, strict=True)
        ]
        super().apply(dense, trainable_variables)


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
    optimizer = DenseAdamW(
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
