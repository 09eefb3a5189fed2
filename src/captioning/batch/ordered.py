"""Work in threads, with the results in order and a bounded number of them waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

InputT = TypeVar("InputT")
ResultT = TypeVar("ResultT")


def ordered_map(
    function: Callable[[InputT], ResultT], inputs: Iterable[InputT], threads: int, waiting: int
) -> Generator[ResultT, None, None]:
    """Yield `function(value)` for every input, in order, while the threads work ahead.

    If the iteration is left early, inputs that no thread has begun are dropped.

    Args:
        function: called in the threads.
        inputs: read in the thread that iterates, no further ahead than necessary.
        threads: number of threads.
        waiting: largest number of inputs that are begun or finished, but not yielded.
    """
    pending: deque[Future[ResultT]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for value in inputs:
            pending.append(pool.submit(function, value))
            if len(pending) >= waiting:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
