"""A real Ray cluster on this machine, with two nodes of one core each."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

# The smallest shared memory that Ray allows; only summaries are stored in it.
_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@contextmanager
def two_nodes() -> Iterator[Cluster]:
    """Start the cluster; at the end, stop it and remove its files."""
    # A short name, because the path of a Unix socket can have only 107 characters.
    folder = tempfile.mkdtemp(prefix="ray-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The ports are open to the network, so connections without this token are refused.
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        (Path(folder) / "ray").mkdir()
        cluster = Cluster()
        try:
            yield cluster
        finally:
            import ray

            ray.shutdown()
            cluster.stop()
            shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """A head node and a second node.

    Attributes:
        address: value for `RAY_ADDRESS`.
        environment: variables that another process needs to use the cluster.
    """

    def __init__(self) -> None:
        from ray import cluster_utils

        self._cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args={**_NODE, "include_dashboard": False}
        )
        self._other = self._cluster.add_node(**_NODE)
        self.address: str = self._cluster.address
        self.environment = {
            "RAY_ADDRESS": self.address,
            **{name: os.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")},
        }

    def lose_node(self) -> None:
        """Kill all processes of the second node."""
        self._cluster.remove_node(self._other, allow_graceful=False)

    def add_node(self) -> None:
        """Start a new node in place of the second one."""
        self._other = self._cluster.add_node(**_NODE)

    def stop(self) -> None:
        """Stop all nodes."""
        self._cluster.shutdown()


def kill_worker(nodes: psutil.Process) -> bool:
    """Kill a descendant of `nodes` that works on a shard; return whether there was one."""
    for process in nodes.children(recursive=True):
        try:
            if process.name().startswith("ray::Map") or any(
                part.startswith("ray::Map") for part in process.cmdline()
            ):
                process.kill()
                return True
        except psutil.Error:  # The process has ended by itself.
            continue
    return False
