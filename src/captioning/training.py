"""Fitting the decoder: reports, early stopping, going on from a checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from captioning.checkpoints import Checkpoint
from captioning.losses import MaskedCrossEntropy
from captioning.model import CaptionDecoder
from captioning.optimizer import make_optimizer
from captioning.params import TrainParams
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
