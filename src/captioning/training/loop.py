"""The training loop of both phases, with reports, early stopping and checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from captioning.training.checkpoints import Checkpoint, Recorder
from captioning.training.curves import CurveWriter
from captioning.training.divergence import FiniteReports, NotFiniteError, keep_best
from captioning.training.progress import Progress


@dataclass(frozen=True)
class FitResult:
    """The outcome of a training run.

    Attributes:
        best: figures of the report whose weights the model now has.
        reports: number of reports.
        untrained: figures measured before the first step; empty where none were measured.
    """

    best: dict[str, float]
    reports: int
    untrained: dict[str, float]


@dataclass(frozen=True)
class ReportPlan:
    """When a run is measured, and when it stops.

    Attributes:
        title: what a report is called in the output, such as `Epoch`.
        number: largest number of reports.
        steps: optimizer steps before each report.
        monitor: the figure that early stopping watches.
        mode: `min` or `max`: whether lower or higher is better.
        patience: reports without improvement before the run stops; None means never.
        remedy: what to change where the figures are no longer finite.
    """

    title: str
    number: int
    steps: int
    monitor: str
    mode: str
    patience: int | None
    remedy: str


def run(
    model: keras.Model,
    *,
    batches: tf.data.Dataset,
    plan: ReportPlan,
    writer: CurveWriter,
    measures: Sequence[keras.callbacks.Callback] = (),
    recorders: Sequence[Recorder | None] = (),
    checkpoint: Path | None = None,
    untrained: Sequence[dict[str, float]] = (),
    validation_data: tf.data.Dataset | None = None,
) -> FitResult:
    """Train a compiled model until it stops improving; leave the best weights in it.

    Args:
        model: trained in place.
        batches: batches of the train split, repeated without end.
        plan: when the model is measured, and when training stops.
        writer: writes the learning curves.
        measures: callbacks that add figures to the logs, which run before early stopping.
        recorders: other callbacks with rows to save; those that are not in `measures` run after
            early stopping.
        checkpoint: path of the training state; a run that finds one resumes from it.
        untrained: list that holds, after training, the figures of the untrained model.
        validation_data: batches for Keras' own validation after every report.

    Raises:
        DivergedError: the first report is not finite. If a later one is, training stops, and the
            best weights of the reports before it are kept.
    """
    stopper = keras.callbacks.EarlyStopping(
        plan.monitor,
        mode=plan.mode,
        patience=plan.number if plan.patience is None else plan.patience,
        restore_best_weights=True,
    )
    # If the first step had to create the optimizer's variables, it would be traced twice.
    model.optimizer.build(model.trainable_variables)
    known = [writer, *(recorder for recorder in recorders if recorder is not None)]
    resume = Checkpoint(checkpoint, stopper, known)
    others = [recorder for recorder in known if recorder not in measures]
    progress = Progress(
        plan.title,
        reports=plan.number,
        steps=plan.steps,
        columns=writer.columns,
        resumed=resume.reports,
    )
    finite = FiniteReports(plan.title, writer.columns, untrained)
    try:
        model.fit(
            batches.skip(resume.reports * plan.steps),
            initial_epoch=resume.reports,
            epochs=resume.reports if resume.finished else plan.number,
            steps_per_epoch=plan.steps,
            shuffle=False,
            callbacks=[*measures, finite, stopper, progress, *others, resume],
            validation_data=validation_data,
            verbose=0,
        )
    except NotFiniteError as error:
        progress.close()
        keep_best(model, stopper.best_weights, str(error), plan.remedy)
        resume.finish()
    best = (min if plan.mode == "min" else max)(writer.rows, key=lambda row: row[plan.monitor])
    if stopper.stopped_epoch:
        print(f"Stopped early: no better {plan.monitor} in {plan.patience} reports")
    kept = f"{plan.title} {best['report']:g} had the best {plan.monitor}, {best[plan.monitor]:.4f}"
    print(f"{kept}: its weights are kept")
    first = dict(untrained[0]) if untrained else {}
    return FitResult(best=best, reports=len(writer.rows), untrained=first)
