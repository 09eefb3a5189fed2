"""Process shards in worker processes on this machine, or on a Ray cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from multiprocessing.connection import Connection

from captioning.cluster.ray import cluster_address, connected
from captioning.download.web.shard_fetcher import Shard

#: Processes one shard; returns whether the shard is complete, and the shard itself.
ShardFunction = Callable[[Shard], tuple[bool, Shard]]


def run_shards(
    function: ShardFunction,
    shards: Iterator[Shard],
    processes: int,
    on_finished: Callable[[Shard, bool], None],
) -> None:
    """Call `function` for every shard: on the cluster that `RAY_ADDRESS` names, or else locally.

    Args:
        function: function to call; it must be picklable.
        shards: the shards; locally, they are taken one by one as workers become free, but Ray
            takes all of them at once.
        processes: number of worker processes on this machine.
        on_finished: called in this process after each shard, with the shard and whether it is
            complete. If it raises an exception, the work ends at once. With Ray, it is called only
            after all shards have been processed.

    Raises:
        BrokenProcessPool: a worker process died.
        InputError: `RAY_ADDRESS` is set, but Ray is not installed.
    """
    if cluster_address() is not None:
        _run_on_ray(function, shards, on_finished)
    else:
        _run_locally(function, shards, processes, on_finished)


def _run_locally(
    function: ShardFunction,
    shards: Iterator[Shard],
    processes: int,
    on_finished: Callable[[Shard, bool], None],
) -> None:
    """Use a pool of worker processes; img2dataset's own pool waits forever if a worker dies."""
    context = get_context("spawn")
    worker_end, lifeline = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(processes, context, _exit_with_parent, (worker_end,))
    with worker_end, lifeline, pool:
        running: set[Future[tuple[bool, Shard]]] = set()
        try:
            for shard in shards:
                running.add(pool.submit(function, shard))
                # One shard more than there are workers, so that no worker waits for its next one.
                if len(running) > processes:
                    running = _take_finished(running, on_finished)
            while running:
                running = _take_finished(running, on_finished)
        except BaseException:
            # End the workers now; otherwise they would finish shards that nobody waits for.
            lifeline.close()
            raise


def _take_finished(
    running: set[Future[tuple[bool, Shard]]], on_finished: Callable[[Shard, bool], None]
) -> set[Future[tuple[bool, Shard]]]:
    """Wait until at least one shard is finished; return those that are still running."""
    done, still_running = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        complete, shard = future.result()
        on_finished(shard, complete)
    return still_running


def _exit_with_parent(lifeline: Connection) -> None:
    """End this worker process when its parent closes the other end of the pipe, or dies."""

    def watch() -> None:
        try:
            lifeline.recv()
        except EOFError:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_on_ray(
    function: ShardFunction, shards: Iterator[Shard], on_finished: Callable[[Shard, bool], None]
) -> None:
    """Use img2dataset's distributor for Ray; all machines must share the file system."""
    from img2dataset.distributor import ray_distributor

    submitted: list[Shard] = []

    def recorded() -> Iterator[Shard]:
        for shard in shards:
            submitted.append(shard)
            yield shard

    with connected():
        ray_distributor(0, function, recorded(), 0, 0)
    for shard in submitted:
        on_finished(shard, True)
