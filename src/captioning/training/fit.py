"""Trains the decoder on captions, with reports, early stopping and checkpoints."""

from __future__ import annotations

import math
from pathlib import Path

import keras
import tensorflow as tf

from captioning.model import CaptionDecoder
from captioning.params.stages import TrainParams
from captioning.training.curves import CurveWriter, Validation
from captioning.training.data import MeasuredBatches
from captioning.training.loop import FitResult, ReportPlan, run
from captioning.training.losses import MaskedCrossEntropy
from captioning.training.optimizer import training_optimizer
from captioning.training.samples import SampleCaptions
from captioning.training.split_batch import SplitBatch

COLUMNS = ("loss", "cross_entropy", "accuracy", "val_cross_entropy", "val_accuracy")


def compiled(
    decoder: CaptionDecoder, params: TrainParams, *, steps_per_epoch: int, jit_compile: bool
) -> keras.Model:
    """The model to fit: the decoder, or a `SplitBatch` of it.

    A batch is split on a CPU only: a GPU, for which XLA compiles the step, works best on all of it.
    """
    split = params.parts > 1 and not jit_compile
    model = SplitBatch(decoder, params.parts) if split else decoder
    optimizer = training_optimizer(params, steps_per_epoch)
    loss = MaskedCrossEntropy(params.label_smoothing)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=jit_compile)
    return model


def fit(
    decoder: CaptionDecoder,
    *,
    params: TrainParams,
    batches: tf.data.Dataset,
    measured: MeasuredBatches,
    steps_per_epoch: int,
    curves: Path,
    samples: SampleCaptions | None = None,
    jit_compile: bool = False,
    checkpoint: Path | None = None,
) -> FitResult:
    """Train until the validation figures stop improving; leave the best weights in the decoder.

    Args:
        decoder: trained in place.
        params: the `train` section.
        batches: batches of the train split, repeated without end, see `training_batches`.
        measured: batches that every report measures.
        steps_per_epoch: number of batches in one pass over the train split.
        curves: path of the CSV with the learning curves.
        samples: captions sample images at every report, with the weights that were validated.
        jit_compile: whether XLA compiles the train step.
        checkpoint: path of the training state; a run that finds one resumes from it.
    """
    total = params.epochs * steps_per_epoch
    # At least one report: it comes when the last epoch ends.
    steps = min(params.report_every or steps_per_epoch, total)
    by_loss = params.monitor == "loss"
    plan = ReportPlan(
        title="Epoch" if steps == steps_per_epoch else "Report",
        number=math.ceil(total / steps),
        steps=steps,
        monitor="val_cross_entropy" if by_loss else "val_accuracy",
        mode="min" if by_loss else "max",
        patience=params.patience,
        remedy=f"lower train.learning_rate ({params.learning_rate:g})",
    )
    validation = Validation(measured)
    averaging = (
        [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
        if params.average_weights is not None
        else []
    )
    return run(
        compiled(decoder, params, steps_per_epoch=steps_per_epoch, jit_compile=jit_compile),
        batches=batches,
        plan=plan,
        # In this order: the averaged weights are in place before they are measured.
        measures=[*averaging, validation],
        writer=CurveWriter(curves, COLUMNS, steps, steps_per_epoch),
        recorders=[samples, validation],
        checkpoint=checkpoint,
        untrained=validation.rows,
    )
