"""Keeps TensorFlow's harmless C++ log lines off the terminal, and nothing else.

TensorFlow logs from C++ straight to file descriptor 2. `TF_CPP_MIN_LOG_LEVEL=1` stops information,
but not what is logged while the libraries are loaded, before the variable is read, nor harmless
lines that are marked as errors. A small process filters these (`stderr_filter` lists them).

Python's own `sys.stderr` still leads to the terminal, so progress bars work as before.
With `TF_CPP_MIN_LOG_LEVEL=0` in the environment nothing is hidden.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from captioning.stage import stderr_filter

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_INFORMATION_HIDDEN, _ALL_SHOWN = "1", "0"
_FILTER = stderr_filter.__file__
_STDOUT, _STDERR = 1, 2
# The longest wait for the filter, which may never be idle while a subprocess writes all the time.
_WAIT_SECONDS = 0.5
_POLL_SECONDS = 0.0005


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Hide TensorFlow's harmless log lines while the block runs, which must import it first.

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
        self._replaced = sys.stdout, sys.stderr
        # Others may have replaced them before, such as tests.
        if _writes_to(sys.stdout, _STDOUT):
            sys.stdout = _OrderedStream(self, sys.stdout)
        if _writes_to(sys.stderr, _STDERR):
            sys.stderr = _OrderedStream(self, sys.stderr)
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
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, AttributeError):  # Nobody reads it any more, or it is None.
                stream.flush()
        sys.stdout, sys.stderr = self._replaced
        self.settle()
        os.dup2(self._original, _STDERR)
        self._ended = True
        for descriptor in (self._original, self._pipe, self._busy):
            os.close(descriptor)
        # It goes on filtering for a subprocess that still writes.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_WAIT_SECONDS)


class _OrderedStream(io.TextIOWrapper):
    """A copy of a standard stream that waits for what C++ has written before."""

    def __init__(self, diversion: _Diversion, stream: TextIO) -> None:
        assert isinstance(stream, io.TextIOWrapper)
        stream.flush()
        super().__init__(
            # As Python opens it: unbuffered with `python -u`.
            os.fdopen(os.dup(stream.fileno()), "wb", 0 if stream.write_through else -1),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._diversion = diversion

    def write(self, text: str) -> int:
        """Write `text` once the filter has passed on what was written before."""
        self._diversion.settle()
        return super().write(text)


def _writes_to(stream: TextIO | None, descriptor: int) -> bool:
    """Whether a stream is Python's own for a file descriptor."""
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == descriptor
    except (OSError, ValueError):  # It is in memory, or closed.
        return False


def _unread(pipe: int) -> bool:
    """Whether a pipe holds bytes."""
    # Imported here, because other systems may not have them.
    import fcntl
    import termios

    return any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
