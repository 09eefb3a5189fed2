"""Going on with training where a killed run stopped, to the bit.

Keras' `BackupAndRestore` leaves out early stopping, the curves and the place in the data; here
everything that determines the rest of the run is saved before every report's steps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.core.files import atomic_path

_STOPPER = ("wait", "best", "best_epoch", "stopped_epoch")


class Recorder(Protocol):
    """A callback whose result is a list of rows, one or more a report."""

    rows: list[Any]


class Checkpoint(keras.callbacks.Callback):
    """Saves and restores weights, optimizer, seeds, early stopping and what was recorded.

    It must be the last callback: it restores the others after they have set themselves up.

    Args:
        path: of the checkpoint, an `.npz`; None saves nothing.
        stopper: whose state is saved as well.
        recorders: whose rows are saved as well.
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
        self.found = self._load()
        #: Reports that the restored run had made.
        self.reports = 0
        #: Whether that was all of it, and the saved weights are the best ones.
        self.finished = False
        if self.found is not None:
            state = self.found["state"]
            self.reports, self.finished = state["reports"], state["finished"]
            for recorder, rows in zip(recorders, state["rows"], strict=True):
                recorder.rows[:] = rows

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Restore what was found: weights, optimizer, seeds and early stopping."""
        if self.found is None:
            return
        for variables, name in self._variables():
            for variable, value in zip(variables, self.found[name], strict=True):
                variable.assign(value)
        state = self.found["state"]
        for name in _STOPPER:
            setattr(self.stopper, name, state["stopper"][name])
        self.stopper.best_weights = self.found["best"] or None
        self.found = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the state after `epoch` reports."""
        if epoch != self.reports:
            self._save(epoch, finished=False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the report."""
        self.last = epoch + 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Save the end: what comes next need not train again to get there."""
        if not self.finished:
            self._save(self.last, finished=True)

    def _save(self, reports: int, finished: bool) -> None:
        if self.path is None:
            return
        state = {
            "reports": reports,
            "finished": finished,
            "stopper": {name: getattr(self.stopper, name) for name in _STOPPER},
            "rows": [recorder.rows for recorder in self.recorders],
        }
        arrays: dict[str, Any] = {"state": np.frombuffer(json.dumps(state).encode(), np.uint8)}
        for variables, name in self._variables():
            arrays |= _numbered(name, [keras.ops.convert_to_numpy(v) for v in variables])
        arrays |= _numbered("best", self.stopper.best_weights or [])
        with atomic_path(self.path) as temporary:
            np.savez(temporary, **arrays)

    def _variables(self) -> list[tuple[list[Any], str]]:
        """Weights and dropout seeds; moments, moving averages and the step count."""
        return [(self.model.variables, "model"), (self.model.optimizer.variables, "optimizer")]

    def _load(self) -> dict[str, Any] | None:
        if self.path is None or not self.path.is_file():
            return None
        with np.load(self.path, allow_pickle=False) as file:
            found: dict[str, Any] = {
                kind: [file[key] for key in sorted(file.files) if key.startswith(f"{kind}/")]
                for kind in ("model", "optimizer", "best")
            }
            found["state"] = json.loads(file["state"].tobytes())
        return found


def _numbered(kind: str, values: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{kind}/{index:05d}": value for index, value in enumerate(values)}
