"""Time the sides of a comparison in turns, each in its own process.

Each side (the tutorial's code, this project's) has one process, and with it its own TensorFlow
settings and peak memory. Only one of them works at a time, in the order A B A B, so that other work
on the machine disturbs both alike.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

# Smallest processor time, in seconds, to divide by: work may be too short to be measured.
_TICK = 1e-6
# Bytes in one unit of `ru_maxrss`: kilobytes on Linux, bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Work:
    """One side of a comparison. Its constructor prepares and warms up; that is not timed."""

    def run(self) -> float:
        """Do the timed work once; return the number of units done (captions, images, bytes)."""
        raise NotImplementedError

    def between(self) -> None:
        """Do what is needed after each run; this is not timed."""

    def facts(self) -> dict[str, Any]:
        """Further results, reported at the end: JSON values by name."""
        return {}


@dataclass
class Measured:
    """Results of one side's runs.

    Args:
        rates: units per second of wall time, one for each run.
        processor_rates: units per second of processor time, summed over all threads; other work on
            the same cores disturbs it least.
        peak_bytes: peak memory of the side's process.
        facts: result of `Work.facts`.
    """

    rates: list[float] = field(default_factory=list)
    processor_rates: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Median of the runs, in units per second."""
        return statistics.median(self.rates)

    @property
    def processor_rate(self) -> float:
        """Median of the runs, in units per second of processor time."""
        return statistics.median(self.processor_rates)


Factory = tuple[type, Mapping[str, Any]]


def alternate(sides: Mapping[str, Factory], runs: int) -> dict[str, Measured]:
    """Run all sides in turns.

    Args:
        sides: name of each side -> subclass of `Work` and its arguments.
        runs: number of runs of each side.

    Raises:
        RuntimeError: a side failed; the message holds its traceback.
    """
    context = multiprocessing.get_context("spawn")
    measured = {name: Measured() for name in sides}
    processes, pipes = [], {}
    try:
        for name, (factory, arguments) in sides.items():
            pipes[name], theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, factory, dict(arguments)))
            process.start()
            processes.append(process)
        # All sides prepare at the same time; this is not measured.
        for name, pipe in pipes.items():
            _answer(pipe, name)
        for _ in range(runs):
            for name, pipe in pipes.items():
                pipe.send("run")
                rate, processor_rate = _answer(pipe, name)
                measured[name].rates.append(rate)
                measured[name].processor_rates.append(processor_rate)
        for name, pipe in pipes.items():
            pipe.send("stop")
            measured[name].facts, measured[name].peak_bytes = _answer(pipe, name)
    finally:
        for pipe in pipes.values():
            pipe.close()
        for process in processes:
            process.join()
    return measured


def _answer(pipe: Connection, name: str) -> Any:
    """Wait for the next message of a side's process.

    Raises:
        RuntimeError: the side failed, or its process ended.
    """
    try:
        kind, value = pipe.recv()
    except EOFError:
        raise RuntimeError(
            f"the process of side {name} ended unexpectedly: perhaps it ran out of memory"
        ) from None
    if kind == "error":
        raise RuntimeError(f"side {name} failed:\n{value}")
    return value


def _serve(pipe: Connection, factory: type, arguments: dict[str, Any]) -> None:
    """Run in the side's process: prepare, then work whenever asked."""
    try:
        work: Work = factory(**arguments)
        pipe.send(("ready", None))
        while pipe.recv() == "run":
            start, processor_start = time.perf_counter(), time.process_time()
            units = work.run()
            seconds = time.perf_counter() - start
            processor_seconds = max(time.process_time() - processor_start, _TICK)
            work.between()
            pipe.send(("rates", (units / seconds, units / processor_seconds)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        pipe.send(("end", (work.facts(), peak)))
    except EOFError:
        return
    except Exception:
        pipe.send(("error", traceback.format_exc()))
