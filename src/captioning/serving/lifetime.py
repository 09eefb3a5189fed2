"""What runs behind the routes while the server serves: model, queue, threads, figures."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from captioning.serving.batcher import Batcher
from captioning.serving.examples import Example
from captioning.serving.limits import Limits
from captioning.serving.metrics import Metrics
from captioning.serving.model import ServedModel
from captioning.serving.pictures import Pictures
from captioning.serving.service import CaptionService

_LOG = logging.getLogger("captioning.serving")


@dataclass(frozen=True)
class Options:
    """How a server was started.

    Args:
        limits: what it accepts.
        allow_urls: whether it fetches pictures from URLs.
        token: what clients must send; None lets everybody in.
        hosts: names by which clients may call it; None allows any.
    """

    limits: Limits
    allow_urls: bool = False
    token: str | None = None
    hosts: tuple[str, ...] | None = None


class Backend:
    """Everything that the routes need.

    Args:
        model: the model.
        examples: pictures to try it with.
        options: how the server was started.

    Attributes:
        ready: whether the model's graphs are compiled.
        failure: why they could not be.
        stop: stops the server; it is called after such a failure.
        service: captions pictures, while the server runs.
        pictures: decodes them.
    """

    service: CaptionService
    pictures: Pictures

    def __init__(self, model: ServedModel, examples: Sequence[Example], options: Options) -> None:
        self.model = model
        self.examples = list(examples)
        self.options = options
        self.metrics = Metrics()
        self.ready = False
        self.failure: BaseException | None = None
        self.stop: Callable[[], None] = _nothing

    @asynccontextmanager
    async def running(self, app: FastAPI) -> AsyncIterator[None]:
        """Run the queue and its threads."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        limits = self.options.limits
        self.pictures = Pictures(self.model.image_size, limits, self.options.allow_urls, cores)
        batcher = Batcher(self.model.caption, limits.queue, self.model.threads, self.metrics)
        self.service = CaptionService(self.model, batcher, self.pictures, self.metrics)
        watch = self.metrics.watch
        watch("captioning_queue_pictures", "Pictures that wait.", lambda: batcher.length)
        watch("captioning_accepted_pictures", "Not yet answered.", lambda: batcher.accepted)
        warming = asyncio.create_task(self._warm_up(batcher))
        try:
            yield
        finally:
            warming.cancel()
            await batcher.stop()
            self.pictures.close()

    async def _warm_up(self, batcher: Batcher) -> None:
        """Compile the model's graphs, then begin with the queue."""
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.model.warm_up)
        except Exception as error:
            self.failure = error
            self.stop()
            return
        batcher.start()
        self.ready = True
        _LOG.info("ready")


def _nothing() -> None:
    """Do nothing."""
