"""The three splits and the file names of their shards.

The raw table, the features and the tokens of a split have the same number of shards, and shard k
of each holds the same images in the same order.
"""

from __future__ import annotations

import re
from pathlib import Path

from captioning.core.errors import InputError

SPLITS = ("train", "validation", "test")
#: Index file in a folder of records, see `data.record_writer.write_index`.
INDEX = "index.json"


def shard_name(split: str, shard: int, shards: int, suffix: str) -> str:
    """File name of one shard.

    >>> shard_name("train", 0, 4, "parquet")
    'train-00000-of-00004.parquet'
    """
    return f"{split}-{shard:05d}-of-{shards:05d}.{suffix}"


def shard_paths(folder: Path | str, split: str, suffix: str) -> list[Path]:
    """Paths of all shards of one split, in order.

    Raises:
        InputError: there is no shard, a shard is missing, or an unexpected file is among them.
    """
    folder = Path(folder)
    found = sorted(folder.glob(f"{split}-*.{suffix}"))
    if not found:
        raise InputError(f"{folder} has no {split} shard (*.{suffix}): run `dvc repro`")
    total = re.search(r"-of-(\d{5,})$", found[0].stem)
    shards = int(total[1]) if total else 0
    expected = [folder / shard_name(split, k, shards, suffix) for k in range(shards)]
    if found != expected:
        unmatched = sorted(path.name for path in set(found) ^ set(expected))
        raise InputError(
            f"{folder}: the set of {split} shards is incomplete or mixed with other files "
            f"({', '.join(unmatched)}): run `dvc repro`"
        )
    return expected
