"""The output of training: a progress bar on a terminal, and one line for every report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras
from tqdm import tqdm


class Progress(keras.callbacks.Callback):
    """Shows the steps of each report as a bar, where there is a terminal, and prints its figures.

    Args:
        title: what a report is called, such as `Epoch`.
        reports: largest number of reports.
        steps: optimizer steps before each report.
        columns: names of the figures that are printed, as in the logs.
        resumed: number of reports that an interrupted run made before.
    """

    # Keras then need not wait for the figures of every step.
    async_safe = True

    def __init__(
        self, title: str, *, reports: int, steps: int, columns: Sequence[str], resumed: int = 0
    ) -> None:
        super().__init__()
        self.title = title
        self.reports = reports
        self.steps = steps
        self.columns = columns
        self.resumed = resumed

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Say where an interrupted run is resumed."""
        self._begin = time.monotonic()
        if self.resumed:
            print(f"Resuming after {self.title.lower()} {self.resumed}/{self.reports}")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start a bar."""
        self._report_begin = time.monotonic()
        self._bar = tqdm(
            desc=f"{self.title} {epoch + 1}/{self.reports}",
            total=self.steps,
            unit=" steps",
            leave=False,
            disable=None,  # Where there is no terminal.
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar by one step."""
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replace the bar by a line with the figures and the time."""
        self._bar.close()
        logs = logs or {}
        now = time.monotonic()
        figures = ", ".join(f"{name} {float(logs[name]):.4f}" for name in self.columns)
        times = duration(now - self._report_begin)
        done, left = epoch + 1 - self.resumed, self.reports - epoch - 1
        if left:
            times += f", at most {duration((now - self._begin) / done * left)} left"
        print(f"{self.title} {epoch + 1}/{self.reports}: {figures} ({times})")

    def close(self) -> None:
        """Remove the bar of a report that comes to no end."""
        self._bar.close()


def duration(seconds: float) -> str:
    """Such as `17 s`, `2 min 5 s` or `3 h 20 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
