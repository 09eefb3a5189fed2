"""A function over many rows on a Ray cluster, one task a row; Ray does all of the scheduling.

`RAY_ADDRESS` names the cluster, as it does for every Ray program: `auto`, or the head node's
`host:port`. `CAPTIONING_TASK_CPUS` (1) and `CAPTIONING_TASK_GPUS` (0; a fraction shares one) say
what each task asks for.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioning.core.errors import InputError
from captioning.runtime.environment import number

Row = dict[str, Any]


@dataclass(frozen=True)
class Resources:
    """What one task asks for."""

    cpus: int
    gpus: float

    @classmethod
    def from_environment(cls) -> Resources:
        """What the environment asks for.

        Raises:
            InputError: a value is no such number.
        """
        cpus = number("CAPTIONING_TASK_CPUS", 1)
        gpus = number("CAPTIONING_TASK_GPUS", 0.0)
        if cpus < 1:
            raise InputError(f"CAPTIONING_TASK_CPUS is {cpus}: it must be 1, 2, 3, …")
        if gpus < 0 or (gpus > 1 and gpus % 1):
            raise InputError(f"CAPTIONING_TASK_GPUS is {gpus:g}: it must be 0 to 1, or 2, 3, …")
        return cls(cpus, gpus)


def cluster_address() -> str | None:
    """Which cluster the environment names; None means this process."""
    return os.environ.get("RAY_ADDRESS") or None


def map_on_cluster(
    function: Callable[[Row], Row], rows: Iterable[Row], resources: Resources
) -> Generator[Row, None, None]:
    """Yield `function(row)` for every row, in the order in which they are ready.

    A row whose worker or node is lost is begun again elsewhere, as often as need be. This project's
    code travels to the workers; their other packages are their own. What a function returns should
    be small.

    Args:
        function: of one row; importable, without state.
        rows: of strings and numbers, the same keys in all; consumed once the cluster is there.
        resources: of each row's task.

    Raises:
        InputError: Ray is not installed, the cluster can't be reached or has no node with such
            resources, or a row failed.
    """
    with connected():
        import ray

        _check_resources(ray.nodes(), resources)
        items = list(rows)
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map(
            function,
            num_cpus=resources.cpus,
            num_gpus=resources.gpus or None,
        )
        try:
            yield from dataset.iter_rows()
        except ray.exceptions.RayError as error:
            raise InputError(f"the cluster gave up: {_last_line(error)}") from error


@contextmanager
def connected() -> Iterator[None]:
    """Connect to the cluster, with this project's code for its workers; leave it at the end.

    Raises:
        InputError: Ray is not installed, or the cluster can't be reached.
    """
    # Else a thread of Ray Data that ends late would connect once more.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError(
            "RAY_ADDRESS is set, and Ray is not installed: run `pip install -e '.[cluster]'`, or "
            "unset it to work on this machine alone"
        ) from None
    package = str(Path(__file__).parents[1])
    try:
        ray.init(
            runtime_env={"py_modules": [package]}, log_to_driver=False, logging_level=logging.ERROR
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"the Ray cluster RAY_ADDRESS={cluster_address()} can't be used ({_last_line(error)}): "
            "start it and run on one of its nodes, or unset RAY_ADDRESS to work on this machine "
            "alone"
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # One task may take long: a large shard on one core.
    context.execution_no_progress_timeout_s = -1
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()


def _check_resources(nodes: Sequence[Mapping[str, Any]], resources: Resources) -> None:
    """Ray waits for ever for what no node has."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    if any(
        node.get("CPU", 0) >= resources.cpus and node.get("GPU", 0) >= resources.gpus
        for node in alive
    ):
        return
    found = ", ".join(f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in alive)
    raise InputError(
        f"no node of the cluster has {resources.cpus} CPUs and {resources.gpus:g} GPUs for a task "
        f"(they have {found}): lower CAPTIONING_TASK_CPUS or CAPTIONING_TASK_GPUS, or add a node"
    )


def _last_line(error: BaseException) -> str:
    """What an error comes down to: Ray's messages begin with the whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
