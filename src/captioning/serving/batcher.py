"""Pictures of requests that wait at the same time are captioned in one batch.

There is no fixed waiting time: while a batch is captioned, further pictures come in, and together
they are the next one. Only pictures that are being decoded at that moment are waited for, a few
milliseconds.

All methods are called from the event loop's thread; batches are captioned in threads of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.captioner import Caption
from captioning.decoding.settings import DecodingSettings
from captioning.serving.errors import RequestError, internal_error
from captioning.serving.metrics import Metrics

#: Largest number of pictures in a batch.
MAX_BATCH = 32
#: How long to wait for pictures that are being decoded, in seconds.
_LINGER = 0.01
_LOG = logging.getLogger("captioning.serving")


@dataclass(frozen=True, eq=False)
class Job:
    """A picture to caption.

    Args:
        pixels: resized picture, uint8 `[S, S, 3]`.
        settings: how captions are searched for.
        n: number of captions.
        attention: whether to compute where the decoder looks.
        stream: place of the picture in its request, which chooses the random numbers of sampling.
    """

    pixels: NDArray[np.uint8]
    settings: DecodingSettings
    n: int
    attention: bool
    stream: int

    @property
    def kind(self) -> tuple[Any, ...]:
        """Jobs of the same kind may share a batch: one graph captions them."""
        return (self.settings.graph, self.n, self.attention)


#: Captions all jobs of a batch.
CaptionBatch = Callable[[Sequence[Job]], Sequence[Sequence[Caption]]]


class Batcher:
    """A bounded queue of pictures, and the threads that caption them.

    Args:
        caption: captions a batch; it is called in a thread.
        capacity: pictures that may be accepted and not yet answered.
        threads: number of batches that are captioned side by side.
        metrics: where batches and dropped pictures are counted.
    """

    def __init__(
        self, caption: CaptionBatch, capacity: int, threads: int, metrics: Metrics
    ) -> None:
        self._caption = caption
        self._capacity = capacity
        self._metrics = metrics
        self._waiting: deque[tuple[Job, asyncio.Future[Sequence[Caption]]]] = deque()
        self._reserved = 0
        self._coming = 0
        self._changed = asyncio.Event()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def length(self) -> int:
        """Number of pictures that wait for a batch."""
        return len(self._waiting)

    @property
    def accepted(self) -> int:
        """Number of pictures that are accepted and not yet answered."""
        return self._reserved

    @contextmanager
    def room(self, pictures: int) -> Iterator[None]:
        """Room in the queue for the pictures of a request, while the block runs.

        Raises:
            RequestError: there is not enough; the client should come back later.
        """
        if self._reserved + pictures > self._capacity:
            raise RequestError(
                "busy",
                "too many pictures are waiting: try again in a moment",
                503,
                {"Retry-After": "1"},
            )
        self._reserved += pictures
        try:
            yield
        finally:
            self._reserved -= pictures

    @contextmanager
    def coming(self) -> Iterator[None]:
        """While the block runs, a picture is expected within milliseconds."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._changed.set()

    async def captions(self, job: Job) -> Sequence[Caption]:
        """Captions of a picture, once its batch is done.

        If the caller is cancelled, the picture leaves the queue.
        """
        future: asyncio.Future[Sequence[Caption]] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, future))
        self._changed.set()
        try:
            return await future
        except asyncio.CancelledError:
            if (job, future) in self._waiting:
                self._waiting.remove((job, future))
                self._metrics.dropped.inc()
            raise

    def start(self) -> None:
        """Begin to caption; pictures may be waiting already."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._threads)]

    async def stop(self) -> None:
        """Caption no further batches, and wait for those that are being captioned."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=True)

    async def _work(self) -> None:
        """Caption one batch after the other."""
        loop = asyncio.get_running_loop()
        while True:
            await self._some_wait()
            batch = self._take()
            if not batch:
                continue
            self._metrics.batch.observe(len(batch))
            try:
                found = await loop.run_in_executor(
                    self._pool, self._caption, [job for job, _ in batch]
                )
            except Exception as error:
                _LOG.error("a batch failed", exc_info=error)
                _fail([future for _, future in batch], error)
                continue
            self._metrics.captioned.inc(len(batch))
            for (_, future), captions in zip(batch, found, strict=True):
                if not future.done():
                    future.set_result(captions)

    async def _some_wait(self) -> None:
        """Return when pictures are waiting, and those that are just coming had time to."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        deadline = asyncio.get_running_loop().time() + _LINGER
        while self._coming and len(self._waiting) < MAX_BATCH:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except asyncio.TimeoutError:
                return

    def _take(self) -> list[tuple[Job, asyncio.Future[Sequence[Caption]]]]:
        """Take the oldest picture from the queue, and all that may share its batch."""
        batch: list[tuple[Job, asyncio.Future[Sequence[Caption]]]] = []
        left: deque[tuple[Job, asyncio.Future[Sequence[Caption]]]] = deque()
        for job, future in self._waiting:
            if len(batch) < MAX_BATCH and (not batch or job.kind == batch[0][0].kind):
                batch.append((job, future))
            else:
                left.append((job, future))
        self._waiting = left
        return batch


def _fail(futures: Sequence[asyncio.Future[Any]], error: Exception) -> None:
    """Tell all that wait for a batch that it failed."""
    for future in futures:
        if not future.done():
            failure = internal_error()
            failure.__cause__ = error
            future.set_exception(failure)
