"""Read a folder of sharded TFRecords, after checking the shards against their index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from captioning.core.errors import InputError
from captioning.core.files import sha256
from captioning.core.opening import DamagedError, restoring
from captioning.data.record_index import read_index
from captioning.data.record_spec import RecordSpec, ShardSummary


@dataclass(frozen=True)
class RecordFolder:
    """Shards that agree with their index.

    Args:
        folder: folder of the shards.
        spec: specification of the records.
        splits: for each split, the summaries of its shards.
        extra: further facts about the records, see `record_writer.write_index`.
    """

    folder: Path
    spec: RecordSpec
    splits: Mapping[str, list[ShardSummary]]
    extra: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path | str, verify: bool = True) -> RecordFolder:
        """Read the index, and check every shard against it.

        Args:
            folder: output folder of the stage `features` or `tokens`.
            verify: whether to compare checksums; sizes are always compared.

        Raises:
            InputError: the index or a shard is missing, truncated or altered.
        """
        folder = Path(folder)
        index = read_index(folder)
        for summaries in index["splits"].values():
            for summary in summaries:
                _check_shard(folder / summary["file"], summary, verify)
        spec = RecordSpec.from_json(index["fields"])
        return cls(folder, spec, index["splits"], index["extra"])

    def shards(self, split: str) -> int:
        """Number of shards of a split."""
        return len(self.splits[split])

    def count(self, split: str) -> int:
        """Number of images in a split."""
        return sum(int(summary["examples"]) for summary in self.splits[split])

    def serialized(self, split: str, shard: int) -> tf.data.Dataset:
        """Records of one shard as scalar string tensors, in order."""
        path = self.folder / self.splits[split][shard]["file"]
        return tf.data.TFRecordDataset(str(path)).with_options(_without_autotuning())

    def dataset(self, split: str, shard: int) -> tf.data.Dataset:
        """Records of one shard as dictionaries of tensors, in order; see `RecordSpec.parse`."""
        return map_in_order(self.serialized(split, shard), self.spec.parse)


def map_in_order(dataset: tf.data.Dataset, function: Callable[..., Any]) -> tf.data.Dataset:
    """Map a function over a dataset in parallel; the order of the elements is kept."""
    return dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _without_autotuning() -> tf.data.Options:
    """Options of a dataset, and of all that are made from it.

    TensorFlow's tuning of parallelism and buffers gains nothing here. But its thread can miss the
    order to end, and the end of a dataset then waits for it, up to a minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _check_shard(path: Path, summary: ShardSummary, verify: bool) -> None:
    """Compare a shard with its summary."""
    if not path.is_file():
        raise InputError(f"{path} is missing: {restoring(path.parent)}")
    size = path.stat().st_size
    if size != summary["bytes"]:
        raise DamagedError(path, f"it has {size} bytes instead of {summary['bytes']}")
    if verify and sha256(path) != summary["sha256"]:
        raise DamagedError(path, "it was altered after it was written: wrong checksum")
