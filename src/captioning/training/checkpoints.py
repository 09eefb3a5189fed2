"""Saves the state of training, so that a killed run resumes and ends with the same bytes.

Keras' `BackupAndRestore` leaves out early stopping, the learning curves and the position in the
data. Here everything that determines the rest of the run is saved after every report.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.core.files import atomic_path
from captioning.core.opening import DamagedError, opening

_STOPPER = ("wait", "best", "best_epoch", "stopped_epoch")


class Recorder(Protocol):
    """A callback that records rows, one or more for each report."""

    rows: list[Any]


class Checkpoint(keras.callbacks.Callback):
    """Saves and restores weights, optimizer, seeds, early stopping and recorded rows.

    It must be the last callback, because it restores the others after they have set themselves up.

    Args:
        path: path of the checkpoint, an `.npz` file; None saves nothing.
        stopper: early stopping, whose state is saved too.
        recorders: callbacks whose rows are saved too.

    Attributes:
        reports: number of reports that the restored run had made.
        finished: whether the restored run was complete; its weights are then the best ones.
    """

    def __init__(
        self,
        path: Path | None,
        stopper: keras.callbacks.EarlyStopping,
        recorders: Sequence[Recorder],
    ) -> None:
        super().__init__()
        self.path = path
        self.stopper = stopper
        self.recorders = recorders
        self._saved = self._load()
        self.reports = 0
        self.finished = False
        if self._saved is not None:
            state = self._saved["state"]
            self.reports, self.finished = state["reports"], state["finished"]
            for recorder, rows in zip(recorders, state["rows"], strict=True):
                recorder.rows[:] = rows
        self._made = self.reports

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Restore weights, optimizer, seeds and early stopping, if there is a checkpoint."""
        if self._saved is None:
            return
        for variables, name in self._variables():
            for variable, value in zip(variables, self._saved[name], strict=True):
                variable.assign(value)
        state = self._saved["state"]
        for name in _STOPPER:
            setattr(self.stopper, name, state["stopper"][name])
        self.stopper.best_weights = self._saved["best"] or None
        self._saved = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the state after `epoch` reports."""
        if epoch != self.reports:
            self._save(epoch, finished=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the report."""
        self._made = epoch + 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Save the end, so that a stage interrupted after training does not train again."""
        if not self.finished:
            self.finish()

    def finish(self) -> None:
        """Save the weights of the model as the result of the reports that were counted."""
        self._save(self._made, finished=True)

    def _save(self, reports: int, finished: bool) -> None:
        if self.path is None:
            return
        state = {
            "reports": reports,
            "finished": finished,
            "stopper": {name: getattr(self.stopper, name) for name in _STOPPER},
            "rows": [recorder.rows for recorder in self.recorders],
        }
        arrays: dict[str, Any] = {}
        for variables, name in self._variables():
            arrays |= _numbered(name, [keras.ops.convert_to_numpy(v) for v in variables])
        arrays |= _numbered("best", self.stopper.best_weights or [])
        state["arrays"] = sorted(arrays)
        arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
        with atomic_path(self.path) as temporary:
            np.savez(temporary, **arrays)

    def _variables(self) -> list[tuple[list[Any], str]]:
        """The variables to save, with a name for each group.

        The model's are weights and dropout seeds; the optimizer's are moments, moving averages and
        the step count.
        """
        return [(self.model.variables, "model"), (self.model.optimizer.variables, "optimizer")]

    def _load(self) -> dict[str, Any] | None:
        """The saved state; None, with a warning, where it is damaged."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            with opening(self.path, "training starts from the beginning"):
                return _read(self.path)
        except DamagedError as error:
            # As after a power cut: what the disk had not written yet is lost.
            print(f"warning: {error}", file=sys.stderr)
            self.path.unlink()
            return None


def _read(path: Path) -> dict[str, Any]:
    """Read a checkpoint; NumPy compares the checksum of every array."""
    with np.load(path, allow_pickle=False) as file:
        saved: dict[str, Any] = {
            kind: [file[key] for key in sorted(file.files) if key.startswith(f"{kind}/")]
            for kind in ("model", "optimizer", "best")
        }
        saved["state"] = json.loads(file["state"].tobytes())
        if sorted(file.files) != sorted([*saved["state"]["arrays"], "state"]):
            raise ValueError("an array is missing")
    return saved


def _numbered(kind: str, values: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{kind}/{index:05d}": value for index, value in enumerate(values)}
