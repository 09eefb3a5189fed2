"""Names of shards, the same for raw Parquet, features and tokens: shard k of each lines up."""

from __future__ import annotations

from pathlib import Path

from captioning.errors import InputError

SPLITS = ("train", "validation", "test")


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
    found = sorted(folder.glob(f"{split}-[0-9]*-of-[0-9]*.{suffix}"))
    if not found:
        raise InputError(f"{folder} has no {split} shard (*.{suffix}): run `dvc repro`")
    shards = int(found[0].stem.rsplit("-", 1)[1])
    expected = [folder / shard_name(split, k, shards, suffix) for k in range(shards)]
    if found != expected:
        odd = sorted(path.name for path in set(found) ^ set(expected))
        raise InputError(
            f"{folder}: the {split} shards are not one whole set ({', '.join(odd)}): "
            "run `dvc repro`"
        )
    return expected
