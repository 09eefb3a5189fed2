"""Fitting the decoder: reports, early stopping, going on from a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from captioning.checkpoints import Checkpoint, Recorder
from captioning.losses import MaskedCrossEntropy
from captioning.model import CaptionDecoder
from captioning.optimizer import make_optimizer
from captioning.parallel_parts import InParts
from captioning.params import TrainParams
from captioning.reports import CurveWriter, Validation
from captioning.samples import SampleCaptions

COLUMNS = ("loss", "cross_entropy", "accuracy", "val_cross_entropy", "val_accuracy")


@dataclass(frozen=True)
class FitResult:
    """What came of a run.

    Args:
        best: the figures of the report whose weights the model now has.
        reports: how many reports there were.
    """

    best: dict[str, float]
    reports: int


@dataclass(frozen=True)
class Reports:
    """When a run is measured, and by what it is judged.

    Args:
        number: at most.
        steps: of the optimiser before each.
        monitor: the figure that early stopping watches.
        mode: `min` or `max`, whichever is better.
        patience: reports without improvement before the run stops; None means never.
    """

    number: int
    steps: int
    monitor: str
    mode: str
    patience: int | None


def compiled(
    decoder: CaptionDecoder, params: TrainParams, steps_per_epoch: int, jit_compile: bool
) -> keras.Model:
    """What is fitted: the decoder, or a model that trains it in `params.parts` parts of a batch."""
    model = decoder if params.parts == 1 else InParts(decoder, params.parts)
    model.compile(
        optimizer=make_optimizer(params, steps_per_epoch),
        loss=MaskedCrossEntropy(params.label_smoothing),
        jit_compile=jit_compile,
    )
    return model


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
    steps = params.report_every or steps_per_epoch
    model = compiled(decoder, params, steps_per_epoch, jit_compile)
    averaging = (
        [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
        if params.average_weights is not None
        else []
    )
    by_loss = params.monitor == "loss"
    reports = Reports(
        math.ceil(params.epochs * steps_per_epoch / steps),
        steps,
        monitor="val_cross_entropy" if by_loss else "val_accuracy",
        mode="min" if by_loss else "max",
        patience=params.patience,
    )
    # In this order: the averaged weights are in place before the others look at the model.
    measures = [*averaging, validation]
    writer = CurveWriter(curves, COLUMNS, steps, steps_per_epoch)
    return run(model, train, reports, measures, writer, [samples, validation], checkpoint)


def run(
    model: keras.Model,
    batches: tf.data.Dataset,
    reports: Reports,
    measures: Sequence[keras.callbacks.Callback],
    writer: CurveWriter,
    recorders: Sequence[Recorder | None],
    checkpoint: Path | None,
    **arguments: Any,
) -> FitResult:
    """Train a compiled model until it stops improving; leave the best weights in it.

    Args:
        model: trained in place.
        batches: without end.
        reports: when it is measured, how it is judged.
        measures: callbacks that come before early stopping.
        writer: of the curves.
        recorders: what else has rows; those that are no measures are called after early stopping.
        checkpoint: where the state of the run is kept, and from where it goes on; None: nowhere.
        arguments: further ones of Keras' `fit`.
    """
    stopper = keras.callbacks.EarlyStopping(
        reports.monitor,
        mode=reports.mode,
        patience=reports.number if reports.patience is None else reports.patience,
        restore_best_weights=True,
    )
    # Where the first step has to create the optimiser's variables, it is traced twice.
    model.optimizer.build(model.trainable_variables)
    known = [writer, *(recorder for recorder in recorders if recorder is not None)]
    resume = Checkpoint(checkpoint, stopper, known)
    others = [recorder for recorder in known if recorder not in measures]
    model.fit(
        batches.skip(resume.reports * reports.steps),
        initial_epoch=resume.reports,
        epochs=resume.reports if resume.finished else reports.number,
        steps_per_epoch=reports.steps,
        shuffle=False,
        callbacks=[*measures, stopper, *others, resume],
        verbose=2,
        **arguments,
    )
    best = (min if reports.mode == "min" else max)(
        writer.rows, key=lambda row: row[reports.monitor]
    )
    return FitResult(best=best, reports=len(writer.rows))
