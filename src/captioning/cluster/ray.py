"""Maps a function over rows on a Ray cluster, with one task for each row.

`RAY_ADDRESS` names the cluster, as for every Ray program: `auto`, or the head node's `host:port`.
`CAPTIONING_TASK_CPUS` (default 1) and `CAPTIONING_TASK_GPUS` (default 0; tasks can share a GPU by
asking for a fraction of it) set the resources of each task.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioning.cluster.environment import number
from captioning.core.errors import InputError

Row = dict[str, Any]


@dataclass(frozen=True)
class Resources:
    """The resources that one task reserves.

    Attributes:
        cpus: number of CPU cores, 1 or more.
        gpus: number of GPUs: a fraction up to 1, or a whole number.
    """

    cpus: int
    gpus: float

    @classmethod
    def from_environment(cls) -> Resources:
        """Read the resources from the environment variables.

        Raises:
            InputError: a value is out of range or not a number.
        """
        cpus = number("CAPTIONING_TASK_CPUS", 1)
        gpus = number("CAPTIONING_TASK_GPUS", 0.0)
        if cpus < 1:
            raise InputError(f"CAPTIONING_TASK_CPUS is {cpus}: it must be a whole number from 1 up")
        if gpus < 0 or (gpus > 1 and gpus % 1):
            raise InputError(
                f"CAPTIONING_TASK_GPUS is {gpus:g}: it must be 0 to 1, or a whole number"
            )
        return cls(cpus, gpus)


def cluster_address() -> str | None:
    """The address of the cluster that the environment names; None means no cluster."""
    return os.environ.get("RAY_ADDRESS") or None


def map_on_cluster(
    function: Callable[[Row], Row], rows: Iterable[Row], resources: Resources
) -> Generator[Row, None, None]:
    """Yield `function(row)` for every row, in the order in which the results are ready.

    If a worker or a node is lost, its row is started again elsewhere, as often as necessary. This
    project's code is sent to the workers; they must have the other packages installed. Results
    should be small.

    Args:
        function: importable function of one row, without state.
        rows: dictionaries of strings and numbers, all with the same keys; read after the
            connection to the cluster is made.
        resources: resources of each task.

    Raises:
        InputError: Ray is not installed, the cluster cannot be reached, no node has such
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
            raise InputError(f"the Ray cluster failed: {_last_line(error)}") from error


@contextmanager
def connected() -> Iterator[None]:
    """Connect to the cluster, send it this project's code, and disconnect at the end.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    # Otherwise a thread of Ray Data that ends late would connect again.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError(
            "RAY_ADDRESS is set, but Ray is not installed: run `pip install -e '.[cluster]'`, or "
            "unset RAY_ADDRESS to work on this machine alone"
        ) from None
    package = str(Path(__file__).parents[1])
    try:
        ray.init(
            runtime_env={"py_modules": [package]}, log_to_driver=False, logging_level=logging.ERROR
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"cannot connect to the Ray cluster RAY_ADDRESS={cluster_address()} "
            f"({_last_line(error)}): start it and run on one of its nodes, or unset RAY_ADDRESS "
            "to work on this machine alone"
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # One task may take long, such as a large shard on one core.
    context.execution_no_progress_timeout_s = -1
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()


def _check_resources(nodes: Sequence[Mapping[str, Any]], resources: Resources) -> None:
    """Raise `InputError` if no node has the resources; Ray would wait for them forever."""
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
    """The last line of an error's message; Ray's messages begin with the whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
