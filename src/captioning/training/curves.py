"""Measures the model at every report of a training run and writes the learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from captioning.core.files import atomic_path
from captioning.training.data import MeasuredBatches
from captioning.training.live_curves import live_curves
from captioning.training.losses import TokenAccuracy, TokenCrossEntropy

_DIGITS = 8


class Validation(keras.callbacks.Callback):
    """Measures cross-entropy and accuracy at every report, on validation and train images.

    Both are measured in the same way, without dropout and with the weights that would be saved, so
    their curves can be compared. Training steps then need no metrics.

    Args:
        measured: batches of the validation split and of some train images.

    Attributes:
        rows: one row with the figures before the first step.
    """

    def __init__(self, measured: MeasuredBatches) -> None:
        super().__init__()
        self.datasets = {"": measured.train, "val_": measured.validation}
        self.rows: list[dict[str, float]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Measure the untrained model, unless a resumed run has the figures."""
        self.evaluator = _Evaluator(self.model)
        self.evaluator.compile(metrics=[TokenCrossEntropy(), TokenAccuracy()], jit_compile=False)
        if not self.rows:
            self.rows.append(self._measure())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add `cross_entropy`, `accuracy`, `val_cross_entropy` and `val_accuracy` to the logs."""
        if logs is not None:
            logs.update(self._measure())

    def _measure(self) -> dict[str, float]:
        figures: dict[str, float] = {}
        for prefix, dataset in self.datasets.items():
            values = self.evaluator.evaluate(dataset, verbose=0, return_dict=True)
            figures |= {
                prefix + name: float(values[name]) for name in ("cross_entropy", "accuracy")
            }
        return figures


class _Evaluator(keras.Model):
    """The model in training with metrics of its own and without a loss."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="evaluator")
        self.trained = model

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.trained(inputs, training=False)

    def compute_loss(self, *_: Any, **__: Any) -> Any:
        return 0.0


class CurveWriter(keras.callbacks.Callback):
    """Writes the learning curves after every report, so that a run can be watched.

    Args:
        path: where the CSV is written, with one line for each report; its stem is the name of the
            curves in tools that watch the run (see `live_curves`).
        columns: names of the figures in the logs that are written.
        steps_per_report, steps_per_epoch: numbers of optimizer steps.

    Attributes:
        rows: the lines written so far.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], steps_per_report: int, steps_per_epoch: int
    ) -> None:
        super().__init__()
        self.path = path
        self.columns = columns
        self.steps_per_report = steps_per_report
        self.steps_per_epoch = steps_per_epoch
        self.rows: list[dict[str, float]] = []
        self.live = live_curves(path.stem)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Write the rows of an interrupted run; one that had finished makes no further report."""
        self.write()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add a line and rewrite the whole file."""
        logs = logs or {}
        step = (epoch + 1) * self.steps_per_report
        row = {
            "report": epoch + 1,
            "step": step,
            "epoch": step / self.steps_per_epoch,
            **{name: float(logs[name]) for name in self.columns},
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        self.rows.append({name: round(value, _DIGITS) for name, value in row.items()})
        self.write()

    def write(self) -> None:
        """Write all rows, or only the header where there are none."""
        names = ["report", "step", "epoch", *self.columns, "learning_rate"]
        with atomic_path(self.path) as temporary:
            table = pd.DataFrame(self.rows, columns=names)
            table.to_csv(temporary, index=False, lineterminator="\n")
        for live in self.live:
            live.show(self.rows)
