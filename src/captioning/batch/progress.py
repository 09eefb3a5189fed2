"""The progress of a long run on standard error: a bar on a terminal, else a line every minute."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """Shows how many pictures are done, how many a second, and how long the others will take.

    Args:
        total: number of pictures; None if it is not known.
        done: number of pictures that an interrupted run captioned before.
        shown: whether anything is shown at all.
    """

    def __init__(self, total: int | None, done: int = 0, shown: bool = True) -> None:
        self._total, self._initial, self._number = total, done, done
        self._start = self._last = time.monotonic()
        self._lines = shown and not sys.stderr.isatty()
        self._bar = tqdm(
            desc="captions",
            total=total,
            initial=done,
            unit=" pictures",
            disable=not shown or self._lines,
            dynamic_ncols=True,
        )

    def advance(self, number: int = 1) -> None:
        """Count pictures that are done."""
        self._number += number
        self._bar.update(number)
        now = time.monotonic()
        if self._lines and now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            print(self._line(now), file=sys.stderr, flush=True)

    def say(self, message: object) -> None:
        """Print a line to standard error, above the bar."""
        tqdm.write(str(message), file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _line(self, now: float) -> str:
        return "captions: " + str(
            tqdm.format_meter(
                self._number,
                self._total or 0,
                now - self._start,
                initial=self._initial,
                unit=" pictures",
                bar_format="{n_fmt} of {total_fmt} pictures, {rate_fmt}, {remaining} left",
            )
        )
