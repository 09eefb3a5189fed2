"""Names of shards, the same for raw Parquet, features and tokens: shard k of each lines up.

Beside the shards of features and of tokens lies an index, see `record_folder`.
"""

from __future__ import annotations

import re
from pathlib import Path

from captioning.core.errors import InputError

SPLITS = ("train", "validation", "test")
INDEX = "index.json"


def shard_name(split: str, shard: int, shards: int, suffix: str) -> str:
    """Name of one shard.

    >>> shard_name("train", 0, 4, "parquet")
    'train-00000-of-00004.parquet'
    """
    return f"{split}-{shard:05d}-of-{shards:05d}.{suffix}"


def shard_paths(folder: Path | str, split: str, suffix: str) -> list[Path]:
    """The shards of one split in order.

    Raises:
        InputError: there is none, or one of the set is missing.
    """
    folder = Path(folder)
    found = sorted(folder.glob(f"{split}-*.{suffix}"))
    if not found:
        raise InputError(f"{folder} has no {split} shard (*.{suffix}): run `dvc repro`")
    total = re.search(r"-of-(\d{5,})$", found[0].stem)
    shards = int(total[1]) if total else 0
    expected = [folder / shard_name(split, k, shards, suffix) for k in range(shards)]
    if found != expected:
        odd = sorted(path.name for path in set(found) ^ set(expected))
        raise InputError(
            f"{folder}: the {split} shards are not one whole set ({', '.join(odd)}): "
            "run `dvc repro`"
        )
    return expected
