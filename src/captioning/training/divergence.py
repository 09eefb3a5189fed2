"""Stops training at the first report that is not finite, instead of after all epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from captioning.core.errors import InputError


class NotFiniteError(Exception):
    """A report that is not finite; the message says which figure."""


class DivergedError(InputError):
    """Training that diverged before there were any weights worth keeping."""


class FiniteReports(keras.callbacks.Callback):
    """Ends `fit` with a `NotFiniteError` where a figure of a report or a weight is not finite.

    It follows the callbacks that measure, and precedes those that keep, print or save: a report
    that is not finite leaves no trace in learning curves, checkpoints and samples.

    Args:
        title: what a report is called, such as `Epoch`.
        columns: names of the figures in the logs that must be finite.
        untrained: holds the figures that were measured before the first step, if any were.
    """

    def __init__(
        self, title: str, columns: Sequence[str], untrained: Sequence[dict[str, float]]
    ) -> None:
        super().__init__()
        self.title = title
        self.columns = columns
        self.untrained = untrained

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuse a model that is not finite before it is trained."""
        for figures in self.untrained:
            for name, value in figures.items():
                if not math.isfinite(value):
                    raise DivergedError(
                        f"train: {name} is {value} before the first step: the features or the "
                        "settings in `model` give the untrained model values that are too large"
                    )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the figures and the weights."""
        logs = logs or {}
        for name in self.columns:
            if not math.isfinite(float(logs[name])):
                raise NotFiniteError(f"{self.title} {epoch + 1}: {name} is {float(logs[name])}")
        # The rewards of self-critical training are finite whatever the weights are.
        for variable in self.model.trainable_variables:
            if not bool(ops.all(ops.isfinite(variable))):
                raise NotFiniteError(
                    f"{self.title} {epoch + 1}: the weights {variable.path} are not finite"
                )


def keep_best(model: keras.Model, best: Sequence[Any] | None, problem: str, remedy: str) -> None:
    """Put the best weights so far into the model, and say so.

    Args:
        model: the model whose training diverged.
        best: the weights of the best report; None where there was none.
        problem: which report and which figure.
        remedy: the settings to change.

    Raises:
        DivergedError: there are no such weights.
    """
    if not best:
        raise DivergedError(f"train: the figures are not finite ({problem}): {remedy}")
    model.set_weights(best)
    print(f"Stopped: the figures are not finite ({problem}): {remedy}")
