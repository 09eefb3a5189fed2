"""Timed work in processes of their own, run in turns.

Each side (the tutorial's way, ours) lives in one process, with its own settings of TensorFlow and
its own peak of memory; only one of them works at a time. A B A B: what disturbs the machine
disturbs both.
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

# The least processor time there is, in seconds: work may be too short to have any.
_TICK = 1e-6
# Of `ru_maxrss`: kilobytes on Linux, bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Work:
    """One side of a part. Its constructor, untimed, prepares and warms up."""

    def run(self) -> float:
        """Do the timed work once; return how many units (captions, images, bytes) were done."""
        raise NotImplementedError

    def between(self) -> None:
        """What is done after each run, untimed."""

    def facts(self) -> dict[str, Any]:
        """What else there is to tell at the end: JSON values."""
        return {}


@dataclass
class Measured:
    """What one side's runs came to.

    Args:
        rates: units a second, one a run.
        processor_rates: units a second of processor time, of all threads together: what other
            work on the same cores disturbs least.
        peak_bytes: the most memory that its process held.
        facts: what `Work.facts` told.
    """

    rates: list[float] = field(default_factory=list)
    processor_rates: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Median of the runs, in units a second."""
        return statistics.median(self.rates)

    @property
    def processor_rate(self) -> float:
        """Median of the runs, in units a second of processor time."""
        return statistics.median(self.processor_rates)


Factory = tuple[type, Mapping[str, Any]]


def alternate(sides: Mapping[str, Factory], runs: int) -> dict[str, Measured]:
    """Run all sides in turns.

    Args:
        sides: by name, a class of `Work` and its arguments.
        runs: how often each works.

    Raises:
        RuntimeError: a side failed; its traceback is the message.
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
        # All prepare at the same time, which nobody measures.
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
    """What a side's process says next."""
    try:
        kind, value = pipe.recv()
    except EOFError:
        raise RuntimeError(f"{name} ended without an answer: is memory short?") from None
    if kind == "error":
        raise RuntimeError(f"{name} failed:\n{value}")
    return value


def _serve(pipe: Connection, factory: type, arguments: dict[str, Any]) -> None:
    """In the side's process: prepare, then work whenever told."""
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
