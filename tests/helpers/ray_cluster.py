"""A real Ray cluster of two nodes on this machine, each of one core."""

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

# What Ray's shared memory takes at least; summaries are all that lies there.
_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@contextmanager
def two_nodes() -> Iterator[Cluster]:
    """Start the cluster; stop it and remove its files in the end."""
    # Short: the paths of Unix sockets have 107 characters at most.
    folder = tempfile.mkdtemp(prefix="ray-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Its ports are open to the network: whoever has not this token is refused.
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
    """A head node and another one; `address` is what `RAY_ADDRESS` must say."""

    def __init__(self) -> None:
        from ray import cluster_utils

        self._cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args={**_NODE, "include_dashboard": False}
        )
        self._other = self._cluster.add_node(**_NODE)
        self.address: str = self._cluster.address
        #: What another process needs to take part.
        self.environment = {
            "RAY_ADDRESS": self.address,
            **{name: os.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")},
        }

    def lose_node(self) -> None:
        """Kill all processes of the node that is not the head."""
        self._cluster.remove_node(self._other, allow_graceful=False)

    def add_node(self) -> None:
        """Start another node in its place."""
        self._other = self._cluster.add_node(**_NODE)

    def stop(self) -> None:
        """Stop all nodes."""
        self._cluster.shutdown()


def kill_worker(nodes: psutil.Process) -> bool:
    """SIGKILL one process that is at work on a shard, below the process that started the nodes."""
    for process in nodes.children(recursive=True):
        try:
            if process.name().startswith("ray::Map") or any(
                part.startswith("ray::Map") for part in process.cmdline()
            ):
                process.kill()
                return True
        except psutil.Error:  # It has ended by itself.
            continue
    return False
