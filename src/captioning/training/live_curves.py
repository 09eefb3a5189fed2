"""Learning curves for tools that watch a run: TensorBoard's event files, and DVCLive.

Off by default. What is written lies outside the files that DVC tracks, so an environment variable,
and not a key of params.yaml, switches it on: it changes no result and re-runs no stage.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from captioning.core.errors import InputError

TENSORBOARD = "CAPTIONING_TENSORBOARD"
DVCLIVE = "CAPTIONING_DVCLIVE"
# DVC sets it for the stages of an experiment.
_EXPERIMENT = "DVC_EXP_NAME"
# A stage deletes its outputs, and DVC would track what lies among them.
_TRACKED = ("data", "metrics")
# What `tf.summary.scalar` writes; that function needs the package `tensorboard`, which only shows.
_SCALAR = tf.compat.v1.SummaryMetadata(data_class="DATA_CLASS_SCALAR")
_SCALAR.plugin_data.plugin_name = "scalars"

Rows = Sequence[Mapping[str, float]]


class LiveCurves(Protocol):
    """Shows learning curves somewhere."""

    def show(self, rows: Rows) -> None:
        """Show all rows of the curves so far; of those that were shown before, nothing changed."""


def live_curves(name: str) -> list[LiveCurves]:
    """What the environment asks for: for each variable that names a folder, curves in it.

    Args:
        name: name of the curves, such as `training`. They are in the subfolder
            `<experiment>/<name>`; outside of `dvc exp run`, the experiment is `workspace`.

    Raises:
        InputError: a folder is among the outputs of the stages, or is a file; or DVCLive is asked
            for and not installed.
    """
    found: list[LiveCurves] = []
    if folder := _folder(TENSORBOARD, name):
        found.append(TensorBoardCurves(folder))
    if folder := _folder(DVCLIVE, name):
        found.append(DvcLiveCurves(folder))
    return found


class TensorBoardCurves:
    """Event files for TensorBoard: every figure as a scalar, by optimizer step.

    The first call of `show` replaces the event files that are there; so a resumed run has all its
    reports once.

    Args:
        folder: where the event files are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: tf.summary.SummaryWriter | None = None
        self._shown = 0

    def show(self, rows: Rows) -> None:
        """Write the rows that are new."""
        if self._writer is None:
            for old in self.folder.glob("events.out.tfevents.*"):
                old.unlink()
            self._writer = tf.summary.create_file_writer(str(self.folder))
        with self._writer.as_default():
            for row in rows[self._shown :]:
                for figure, value in _figures(row).items():
                    tf.summary.write(figure, value, step=int(row["step"]), metadata=_SCALAR)
        self._writer.flush()
        self._shown = len(rows)


class DvcLiveCurves:
    """DVCLive's files: every figure as a table, by optimizer step, and the last values.

    Args:
        folder: where they are written; what DVCLive had written there is replaced.

    Raises:
        InputError: the package `dvclive` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from dvclive import Live
        except ImportError:
            raise InputError(
                f"{DVCLIVE} is set, but DVCLive is not installed: "
                f"run `pip install -e '.[live]'`, or unset {DVCLIVE}"
            ) from None
        # Neither an experiment nor a dvc.yaml of its own: the pipeline's experiment is DVC's.
        self._live = Live(str(folder), save_dvc_exp=False, dvcyaml=None)
        self._shown = 0

    def show(self, rows: Rows) -> None:
        """Write the rows that are new."""
        for row in rows[self._shown :]:
            self._live.step = int(row["step"])
            for figure, value in _figures(row).items():
                self._live.log_metric(figure, value)
            self._live.sync()
        self._shown = len(rows)


def _folder(variable: str, name: str) -> Path | None:
    """The folder of the curves, if the variable is set."""
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    root = Path(value)
    for tracked in _TRACKED:
        if root.resolve().is_relative_to(Path(tracked).resolve()):
            raise InputError(
                f"{variable} is {value}, a place for results that DVC tracks: "
                "choose a folder outside of data and metrics, such as logs"
            )
    folder = root / os.environ.get(_EXPERIMENT, "workspace") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{variable} is {value}: cannot create the folder {folder}: {error.strerror}"
        ) from None
    return folder


def _figures(row: Mapping[str, float]) -> dict[str, float]:
    """The figures of a report, without its number and step."""
    return {name: value for name, value in row.items() if name not in ("report", "step")}
