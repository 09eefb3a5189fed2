"""Threads work ahead, in order and within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from captioning.batch.ordered import ordered_map


def test_results_come_in_order_whatever_takes_longer():
    def slow(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number * number

    assert list(ordered_map(slow, range(30), threads=4, waiting=8)) == [k * k for k in range(30)]


def test_inputs_are_read_no_further_ahead_than_allowed():
    taken = 0

    def inputs() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    for yielded, _ in enumerate(ordered_map(abs, inputs(), threads=2, waiting=5)):
        assert taken <= yielded + 5
    assert taken == 100


def test_leaving_early_drops_what_no_thread_has_begun():
    begun, permitted = [], threading.Semaphore(1)

    def wait(number: int) -> int:
        begun.append(number)
        permitted.acquire()
        return number

    results = ordered_map(wait, range(100), threads=1, waiting=10)
    with closing(results):
        assert next(results) == 0
        # The thread is at the second input now, or will be; leaving waits for it alone.
        threading.Timer(0.2, permitted.release).start()
    assert begun in ([0], [0, 1])


def test_an_exception_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(ordered_map(lambda number: 1 // number, [1, 0, 2], threads=2, waiting=3))
