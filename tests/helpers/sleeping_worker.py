"""A shard that takes a minute, to keep worker processes busy in tests."""

from __future__ import annotations

import os
import time
from pathlib import Path

from captioning.download.web import run_shards, shard_fetcher

__all__ = ["run_shards", "sleep"]


def sleep(shard: shard_fetcher.Shard) -> tuple[bool, shard_fetcher.Shard]:
    """Write the worker's process id to the shard's file, then sleep."""
    Path(shard[1]).write_text(str(os.getpid()))
    time.sleep(60)
    return True, shard
