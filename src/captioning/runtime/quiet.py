"""Keeps TensorFlow's harmless C++ log lines off the terminal, and nothing else.

TensorFlow logs from C++ straight to file descriptor 2. `TF_CPP_MIN_LOG_LEVEL=1` stops information,
but not what is logged while the libraries are loaded, before the variable is read, nor harmless
lines that are marked as errors. A small process filters these (`stderr_filter` lists them).

Python's own `sys.stderr` goes to the terminal directly, so progress bars still see a terminal.
With `TF_CPP_MIN_LOG_LEVEL=0` in the environment nothing is hidden.
"""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_INFORMATION_HIDDEN, _ALL_SHOWN = "1", "0"
_FILTER = Path(__file__).with_name("stderr_filter.py")
_STDERR = 2
# The longest wait for the filter, which may never be idle while a subprocess writes all the time.
_WAIT_SECONDS = 0.5
_POLL_SECONDS = 0.0005


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """In the block, hide TensorFlow's harmless log lines; it must be imported in the block.

    Everything else that the process and its subprocesses write to standard error is passed on
    unchanged and in order. On systems other than Linux only information is hidden.
    """
    os.environ.setdefault(_LEVEL, _INFORMATION_HIDDEN)
    if sys.platform != "linux" or os.environ[_LEVEL] == _ALL_SHOWN:
        yield
        return
    try:
        diversion = _Diversion()
    except OSError:  # Standard error is closed, or no process can be started.
        yield
        return
    try:
        yield
    finally:
        diversion.end()


class _Diversion:
    """File descriptor 2, led through the filter."""

    def __init__(self) -> None:
        self._original = os.dup(_STDERR)
        filter_input, self._pipe = os.pipe()
        self._busy, busy_write = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", _FILTER, str(self._busy), str(busy_write)],
            stdin=filter_input,
            stdout=self._original,
            pass_fds=(self._busy, busy_write),
            cwd="/",
            # Ctrl-C and other signals to the process group must not end it first.
            start_new_session=True,
        )
        os.close(filter_input)
        os.close(busy_write)
        self._ended = False
        self._replaced = sys.stderr
        if _is_standard_error(sys.stderr):
            sys.stderr = _DirectStderr(self, self._original)
        os.dup2(self._pipe, _STDERR)

    def settle(self) -> None:
        """Wait until all that was written to file descriptor 2 has been passed on."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while (
            not self._ended
            # In this order: the filter is busy before anything leaves the pipe.
            and (_unread(self._pipe) or _unread(self._busy))
            and self._process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(_POLL_SECONDS)

    def end(self) -> None:
        """Pass on what is left and undo the diversion."""
        if isinstance(sys.stderr, _DirectStderr):
            sys.stderr.flush()
            sys.stderr = self._replaced
        self.settle()
        os.dup2(self._original, _STDERR)
        self._ended = True
        for descriptor in (self._original, self._pipe, self._busy):
            os.close(descriptor)
        # It goes on filtering for a subprocess that still writes.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_WAIT_SECONDS)


class _DirectStderr(io.TextIOWrapper):
    """`sys.stderr` that writes to the original place, after what C++ has logged before."""

    def __init__(self, diversion: _Diversion, original: int) -> None:
        super().__init__(
            os.fdopen(os.dup(original), "wb"),
            encoding=sys.stderr.encoding,
            errors=sys.stderr.errors,
            line_buffering=True,
        )
        self._diversion = diversion

    def write(self, text: str) -> int:
        """Write, in the order in which file descriptor 2 was written to."""
        self._diversion.settle()
        return super().write(text)


def _is_standard_error(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):
        return False


def _unread(pipe: int) -> bool:
    """Whether a pipe holds bytes."""
    return any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
