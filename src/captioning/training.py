"""Fitting the decoder: optimiser, schedule, early stopping, curves.

Legend: `B` images, `N` captions of an image, `T` tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from captioning.files import atomic_path
from captioning.losses import MaskedCrossEntropy, TokenAccuracy, TokenCrossEntropy
from captioning.model import CaptionDecoder
from captioning.params import ModelParams, TrainParams

_DIGITS = 6


@dataclass(frozen=True)
class FitResult:
    """What came of `fit`.

    Args:
        untrained: what `Validation` measured before the first step.
        best: the figures of the report whose weights the model now has.
        reports: how many reports there were.
    """

    untrained: dict[str, float]
    best: dict[str, float]
    reports: int


def use_device(seed: int) -> bool:
    """Prepare TensorFlow: memory growth on GPUs, seeds, deterministic kernels.

    Returns:
        Whether there is a GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return bool(gpus)


def build_decoder(
    params: ModelParams,
    precision: str,
    feature_shape: tuple[int, int, int],
    output_bias: NDArray[np.float32],
) -> CaptionDecoder:
    """The decoder that `model.*` describes.

    Args:
        params: the `model` section.
        precision: `float32`, or `bfloat16` for float32 weights and bfloat16 arithmetic.
        feature_shape: `(height, width, C)` of a feature map.
        output_bias: float32 `[V]`, see `text.output_bias`.
    """
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    decoder = CaptionDecoder(
        vocabulary_size=len(output_bias),
        feature_shape=feature_shape,
        dtype=policy,
        **params.model_dump(),
    )
    decoder.set_output_bias(output_bias)
    return decoder


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
    optimizer = keras.optimizers.AdamW(
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


class Validation(keras.callbacks.Callback):
    """Measures cross-entropy and accuracy after every report, on the train split too.

    Both are measured alike, without dropout and with the weights that would be saved, so the
    curves can be compared; and training doesn't pay for metrics at every step.

    Args:
        validation: batches of the whole validation split.
        train: batches of as many train images, always the same.
    """

    def __init__(self, validation: tf.data.Dataset, train: tf.data.Dataset) -> None:
        super().__init__()
        self.datasets = {"": train, "val_": validation}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measure the untrained model."""
        self.judge = _Judge(self.model)
        self.judge.compile(metrics=[TokenCrossEntropy(), TokenAccuracy()], jit_compile=False)
        self.untrained = self._measure()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add `cross_entropy`, `accuracy` and their `val_` twins to the logs."""
        if logs is not None:
            logs.update(self._measure())

    def _measure(self) -> dict[str, float]:
        figures: dict[str, float] = {}
        for prefix, dataset in self.datasets.items():
            values = self.judge.evaluate(dataset, verbose=0, return_dict=True)
            figures |= {
                prefix + name: float(values[name]) for name in ("cross_entropy", "accuracy")
            }
        return figures


class _Judge(keras.Model):
    """The decoder with metrics of its own."""

    def __init__(self, decoder: CaptionDecoder) -> None:
        super().__init__(name="judge")
        self.decoder = decoder

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.decoder(inputs, training=False)

    def compute_loss(self, *_: Any, **__: Any) -> Any:
        return 0.0


class CurveWriter(keras.callbacks.Callback):
    """Writes the learning curves after every report, so that a run can be watched.

    Args:
        path: of the CSV, one line a report.
        steps_per_report, steps_per_epoch: in optimiser steps.
    """

    def __init__(self, path: Path, steps_per_report: int, steps_per_epoch: int) -> None:
        super().__init__()
        self.path = path
        self.steps_per_report = steps_per_report
        self.steps_per_epoch = steps_per_epoch
        self.rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add a line and rewrite the file whole."""
        logs = logs or {}
        step = (epoch + 1) * self.steps_per_report
        columns = ("loss", "cross_entropy", "accuracy", "val_cross_entropy", "val_accuracy")
        row = {
            "report": epoch + 1,
            "step": step,
            "epoch": step / self.steps_per_epoch,
            **{name: float(logs[name]) for name in columns},
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        self.rows.append({name: round(value, _DIGITS + 2) for name, value in row.items()})
        with atomic_path(self.path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False, lineterminator="\n")


def fit(
    decoder: CaptionDecoder,
    params: TrainParams,
    train: tf.data.Dataset,
    validation: Validation,
    steps_per_epoch: int,
    curves: Path,
    callbacks: list[keras.callbacks.Callback],
    jit_compile: bool,
) -> FitResult:
    """Train until validation stops improving; leave the best weights in the model.

    Args:
        decoder: trained in place.
        params: the `train` section.
        train: batches without end, see `training_batches`.
        validation: what is measured at every report.
        steps_per_epoch: batches in one pass over the train split.
        curves: the CSV of the learning curves.
        callbacks: run at every report, with the weights that were validated in the model.
        jit_compile: whether XLA compiles the train step.
    """
    steps_per_report = params.report_every or steps_per_epoch
    reports = math.ceil(params.epochs * steps_per_epoch / steps_per_report)
    decoder.compile(
        optimizer=make_optimizer(params, steps_per_epoch),
        loss=MaskedCrossEntropy(params.label_smoothing),
        jit_compile=jit_compile,
    )
    writer = CurveWriter(curves, steps_per_report, steps_per_epoch)
    monitor = "val_cross_entropy" if params.monitor == "loss" else "val_accuracy"
    mode = "min" if params.monitor == "loss" else "max"
    stopper = keras.callbacks.EarlyStopping(
        monitor,
        mode=mode,
        patience=params.patience if params.patience is not None else reports,
        restore_best_weights=True,
    )
    averaging = (
        [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
        if params.average_weights is not None
        else []
    )
    decoder.fit(
        train,
        epochs=reports,
        steps_per_epoch=steps_per_report,
        shuffle=False,
        # In this order: the averaged weights are in place before the others look at the model.
        callbacks=[*averaging, validation, stopper, writer, *callbacks],
        verbose=2,
    )
    best = (min if mode == "min" else max)(writer.rows, key=lambda row: row[monitor])
    untrained = {name: round(value, _DIGITS) for name, value in validation.untrained.items()}
    return FitResult(untrained=untrained, best=best, reports=len(writer.rows))
