"""A shard of work that never ends, for worker processes to be busy with."""

from __future__ import annotations

import os
import time
from pathlib import Path

from captioning.download.web import fetcher, workers

__all__ = ["sleep", "workers"]


def sleep(shard: fetcher.Shard) -> tuple[bool, fetcher.Shard]:
    Path(shard[1]).write_text(str(os.getpid()))
    time.sleep(60)
    return True, shard
