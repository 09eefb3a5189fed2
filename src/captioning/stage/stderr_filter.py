"""Copies standard input to standard output, without TensorFlow's harmless log lines.

`quiet` starts this file as a process of its own rather than a thread: whatever ends the process
that logs (a crash, a signal, `os._exit`), its last lines are still read and passed on.

    python stderr_filter.py BUSY_READ BUSY_WRITE

The arguments are file descriptors, the two ends of a pipe that holds one byte as long as something
that was read has not been passed on yet. Only light modules are imported, for a fast start.
"""

from __future__ import annotations

import os
import re
import select
import sys

# All that is left out. A line from another place, or with another text, is passed on.
_HARMLESS = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR"
    rb"|[IE]0000 [\d:.]+ +\d+ (?:"
    rb"port\.cc:\d+\] oneDNN custom operations are on\."
    rb"|cudart_stub\.cc:\d+\] Could not find cuda drivers on your machine"
    # 303: no driver is installed. Other numbers tell of a driver that fails.
    rb"|cuda_platform\.cc:\d+\] failed call to cuInit: .*UNKNOWN ERROR \(303\)$"
    # tf.data makes its graph deterministic and leaves this attribute behind.
    rb"|node_def_util\.cc:\d+\] NodeDef mentions attribute use_unbounded_threadpool which is not"
    rb"|util\.cc:\d+\] oneDNN supports DT_INT64 only on platforms with AVX-512\."
    rb")"
)
_INPUT, _OUTPUT = 0, 1
_CHUNK = 1 << 16
# A line without an end is passed on after this time. TensorFlow writes whole lines at once.
_UNFINISHED_SECONDS = 0.05


class LineFilter:
    """Leaves harmless lines out of a stream of bytes.

    Attributes:
        unfinished: the beginning of a line whose end has not been read yet.
    """

    def __init__(self) -> None:
        self.unfinished = b""
        # Whether the beginning of this line was passed on already.
        self._in_line = False

    def feed(self, chunk: bytes) -> bytes:
        """Add what was read; return the whole lines that are to be passed on."""
        *lines, self.unfinished = (self.unfinished + chunk).split(b"\n")
        kept = []
        for line in lines:
            if self._in_line or not _HARMLESS.match(line):
                kept.append(line + b"\n")
            self._in_line = False
        return b"".join(kept)

    def flush(self) -> bytes:
        """Return the unfinished line, as far as it was read."""
        rest, self.unfinished = self.unfinished, b""
        self._in_line = self._in_line or bool(rest)
        return rest


def main(busy_read: int, busy_write: int) -> None:
    """Copy until the last writer has closed its end."""
    lines = LineFilter()
    busy = False
    while True:
        timeout = _UNFINISHED_SECONDS if lines.unfinished else None
        if select.select([_INPUT], [], [], timeout)[0]:
            if not busy:
                os.write(busy_write, b".")
                busy = True
            chunk = os.read(_INPUT, _CHUNK)
            if not chunk:
                break
            _pass_on(lines.feed(chunk))
            if len(lines.unfinished) >= _CHUNK:
                _pass_on(lines.flush())
        else:
            _pass_on(lines.flush())
        if busy and not lines.unfinished:
            os.read(busy_read, 1)
            busy = False
    _pass_on(lines.flush())


def _pass_on(data: bytes) -> None:
    while data:
        try:
            data = data[os.write(_OUTPUT, data) :]
        except BlockingIOError:
            select.select([], [_OUTPUT], [])
        except OSError:
            # Nobody reads any more. Go on reading, so that the process that logs is not blocked.
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
