"""Limits of this machine: rates of matrix products and memory copies; reading files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alternate import Work

_SIDE, _COPY, _CHUNK = 2048, 256 << 20, 8 << 20
_RUNS = 5


class Ceilings(Work):
    """Measures the limits in its own process, in one run; see `alternate.Work`."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    def run(self) -> float:
        """Measure all limits; their number is 1."""
        for dtype in ("float32", "bfloat16"):
            self.found[f"matmul_{dtype}"] = matmul_rate(dtype)
        self.found["copy"] = copy_rate()
        return 1

    def facts(self) -> dict[str, Any]:
        """The limits.

        `matmul_float32`, `matmul_bfloat16`: operations per second of one core; `copy`: bytes per
        second.
        """
        return self.found


def best_seconds(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Seconds of the shortest of several runs, which other work disturbed least."""
    seconds = []
    for _ in range(_RUNS):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def matmul_rate(dtype: str) -> float:
    """Operations per second of one core, for TensorFlow's product of 2,048 x 2,048 matrices."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.stateless_normal((_SIDE, _SIDE), (1, 2)), dtype)
    product = tf.function(lambda: tf.reduce_max(tf.matmul(matrix, matrix)))
    product()
    return 2 * _SIDE**3 / best_seconds(lambda: product().numpy(), time.process_time)


def copy_rate() -> float:
    """Bytes per second of copying 256 MiB; bytes read and bytes written both count."""
    source = np.ones(_COPY, np.uint8)
    target = np.empty_like(source)
    np.copyto(target, source)
    return 2 * _COPY / best_seconds(lambda: np.copyto(target, source), time.perf_counter)


def drop_from_page_cache(paths: Sequence[Path]) -> None:
    """Ask the system to drop files from its cache, so that they are next read from disk."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_through(paths: Sequence[Path]) -> int:
    """Read files from start to end into one buffer; return the number of bytes."""
    buffer = bytearray(_CHUNK)
    total = 0
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                total += count
    return total
