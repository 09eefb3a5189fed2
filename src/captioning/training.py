"""Fitting the decoder: optimiser, schedule, early stopping.

Legend: `B` images, `N` captions of an image, `T` tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.checkpoints import Checkpoint
from captioning.losses import MaskedCrossEntropy
from captioning.model import CaptionDecoder
from captioning.params import ModelParams, TrainParams
from captioning.reports import CurveWriter, Validation
from captioning.samples import SampleCaptions

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


def use_device(seed: int, threads: int | None = None) -> bool:
    """Prepare TensorFlow, before its first operation: memory growth on GPUs, seeds, determinism.

    Args:
        seed: of Python, NumPy and TensorFlow.
        threads: that share one operation's arithmetic on the CPU; None means one a core.

    Returns:
        Whether there is a GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
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


def fit(
    decoder: CaptionDecoder,
    params: TrainParams,
    train: tf.data.Dataset,
    validation: Validation,
    steps_per_epoch: int,
    curves: Path,
    samples: SampleCaptions | None,
    jit_compile: bool,
    checkpoint: Path | None = None,
) -> FitResult:
    """Train until validation stops improving; leave the best weights in the model.

    Args:
        decoder: trained in place.
        params: the `train` section.
        train: batches without end, see `training_batches`.
        validation: what is measured at every report.
        steps_per_epoch: batches in one pass over the train split.
        curves: the CSV of the learning curves.
        samples: run at every report, with the weights that were validated in the model.
        jit_compile: whether XLA compiles the train step.
        checkpoint: where the state of the run is kept, and from where it goes on.
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
    recorders: list[CurveWriter | SampleCaptions] = [writer]
    if samples is not None:
        recorders.append(samples)
    resume = Checkpoint(checkpoint, stopper, recorders)
    decoder.fit(
        train.skip(resume.reports * steps_per_report),
        initial_epoch=resume.reports,
        epochs=reports,
        steps_per_epoch=steps_per_report,
        shuffle=False,
        # In this order: the averaged weights are in place before the others look at the model.
        callbacks=[*averaging, validation, stopper, *recorders, resume],
        verbose=2,
    )
    best = (min if mode == "min" else max)(writer.rows, key=lambda row: row[monitor])
    untrained = {name: round(value, _DIGITS) for name, value in validation.untrained.items()}
    return FitResult(untrained=untrained, best=best, reports=len(writer.rows))
