"""Running shards in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from multiprocessing.connection import Connection

from captioning.download.web.fetcher import Shard
from captioning.runtime.cluster import cluster_address, connected

Work = Callable[[Shard], tuple[bool, Shard]]


def run_shards(
    work: Work, shards: Iterator[Shard], processes: int, finished: Callable[[Shard, bool], None]
) -> None:
    """Run `work` on every shard: on the cluster that `RAY_ADDRESS` names, else here.

    Args:
        work: can be pickled.
        shards: taken as they are needed (by Ray, all at once).
        processes: on this machine.
        finished: called here after each shard, with whether it is whole; what it raises ends the
            work at once. With Ray it is called after all of them.

    Raises:
        BrokenProcessPool: a worker process died.
        InputError: `RAY_ADDRESS` is set, and Ray is not installed.
    """
    if cluster_address() is not None:
        _run_on_ray(work, shards, finished)
    else:
        _run_here(work, shards, processes, finished)


def _run_here(
    work: Work, shards: Iterator[Shard], processes: int, finished: Callable[[Shard, bool], None]
) -> None:
    """Unlike img2dataset's own way, a pool that waits forever for a worker that died."""
    context = get_context("spawn")
    worker_end, lifeline = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(processes, context, _end_with, (worker_end,))
    with worker_end, lifeline, pool:
        running: set[Future[tuple[bool, Shard]]] = set()
        try:
            for shard in shards:
                running.add(pool.submit(work, shard))
                # One more than run, so that none waits for its next.
                if len(running) > processes:
                    running = _take_finished(running, finished)
            while running:
                running = _take_finished(running, finished)
        except BaseException:
            # Workers in the midst of a shard would go on with it; nobody waits for it now.
            lifeline.close()
            raise


def _take_finished(
    running: set[Future[tuple[bool, Shard]]], finished: Callable[[Shard, bool], None]
) -> set[Future[tuple[bool, Shard]]]:
    """Wait for one at least; return those that still run."""
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        whole, shard = future.result()
        finished(shard, whole)
    return rest


def _end_with(lifeline: Connection) -> None:
    """End this worker process when its parent closes the other end, or dies however."""

    def watch() -> None:
        try:
            lifeline.recv()
        except EOFError:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_on_ray(
    work: Work, shards: Iterator[Shard], finished: Callable[[Shard, bool], None]
) -> None:
    """By img2dataset's own distributor; the folders must be shared by all machines."""
    from img2dataset.distributor import ray_distributor

    submitted: list[Shard] = []

    def noted() -> Iterator[Shard]:
        for shard in shards:
            submitted.append(shard)
            yield shard

    with connected():
        ray_distributor(0, work, noted(), 0, 0)
    for shard in submitted:
        finished(shard, True)
