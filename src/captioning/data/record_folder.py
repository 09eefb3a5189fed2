"""Sharded TFRecords in a folder, with a JSON index that says what whole shards look like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from captioning.core.errors import InputError
from captioning.core.files import atomic_path, read_json, sha256, write_json
from captioning.core.splits import INDEX, shard_name
from captioning.data.record_spec import RecordSpec

ShardSummary = dict[str, Any]


def write_shards(
    folder: Path | str,
    split: str,
    spec: RecordSpec,
    shards: Sequence[Iterable[Mapping[str, Any]]],
    resume: bool = False,
) -> list[ShardSummary]:
    """Write one split, shard by shard, each to a temporary name that is renamed when whole.

    Args:
        folder: where the shards go.
        split: part of their names.
        spec: of the records.
        shards: for each shard its examples; consumed one at a time.
        resume: whether whole shards that an earlier run of the same work left in `folder` are
            taken as they are; their examples are not consumed.

    Returns:
        For each shard `file`, `examples`, `bytes` and `sha256`.

    Raises:
        InputError: an image id occurs twice in the split, or a shard can't be written.
    """
    summaries, seen = [], set[str]()
    for number, examples in enumerate(shards):
        path = Path(folder) / shard_name(split, number, len(shards), "tfrecord")
        summaries.append(write_shard(path, split, spec, examples, seen, resume))
    return summaries


def write_shard(
    path: Path,
    split: str,
    spec: RecordSpec,
    examples: Iterable[Mapping[str, Any]],
    seen: set[str],
    resume: bool = False,
) -> ShardSummary:
    """Write one shard, under a temporary name until it is whole.

    Args:
        path: of the shard.
        split: that it belongs to.
        spec: of the records.
        examples: of the shard.
        seen: image ids that may not occur again; the shard's are added.
        resume: whether a whole shard that lies there is taken as it is; if not, a new one's
            summary is left beside it, in `summary_path`.

    Returns, raises: as `write_shards`, for one shard.
    """
    summary = whole_shard(path) if resume else None
    if summary is None:
        summary = _write_shard(path, split, spec, examples, seen)
        if resume:
            write_json(summary_path(path), summary)
    return summary


def _write_shard(
    path: Path,
    split: str,
    spec: RecordSpec,
    examples: Iterable[Mapping[str, Any]],
    seen: set[str],
) -> ShardSummary:
    """Write one shard and read it back; add its image ids to `seen`."""
    written = 0
    with atomic_path(path) as temporary:
        try:
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for example in examples:
                    if example["image_id"] in seen:
                        raise InputError(
                            f"image {example['image_id']!r} occurs twice in {split}: "
                            "image ids must be unique"
                        )
                    seen.add(example["image_id"])
                    writer.write(spec.serialize(example))
                    written += 1
        except tf.errors.OpError as error:
            raise InputError(
                f"{path} can't be written ({error.message}): see to the disk"
            ) from None
        # TFRecord checksums are verified on reading only: read what was written.
        _check_readable(temporary, written)
    return {
        "file": path.name,
        "examples": written,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
    }


def whole_shard(path: Path) -> ShardSummary | None:
    """The summary of a shard that an earlier run finished, if its bytes are still those."""
    if not (path.is_file() and summary_path(path).is_file()):
        return None
    summary: ShardSummary = read_json(summary_path(path))
    return summary if sha256(path) == summary["sha256"] else None


def summary_path(shard: Path) -> Path:
    """Where the summary of a whole shard lies until all shards are whole."""
    return shard.with_suffix(".json")


def write_index(
    folder: Path | str,
    spec: RecordSpec,
    splits: Mapping[str, list[ShardSummary]],
    extra: Mapping[str, Any],
) -> None:
    """Write `index.json`, last of all: a folder without one is not whole.

    Args:
        folder: of the shards.
        spec: of the records.
        splits: what `write_shards` returned for every split.
        extra: what else the reader must know of how the records were made.
    """
    index = {"fields": spec.to_json(), "splits": dict(splits), "extra": dict(extra)}
    write_json(Path(folder) / INDEX, index)


def _check_readable(path: Path, expected: int) -> None:
    try:
        found = sum(1 for _ in tf.data.TFRecordDataset(str(path)))
    except tf.errors.DataLossError as error:
        raise InputError(f"{path} can't be read back after writing: {error.message}") from None
    if found != expected:
        raise InputError(
            f"{path} holds {found} records after writing {expected}: is the disk full?"
        )


@dataclass(frozen=True)
class RecordFolder:
    """Shards that were checked against their index.

    Args:
        folder: where they lie.
        spec: of the records.
        splits: for every split its shards' summaries, see `write_shards`.
        extra: what `write_index` was given.
    """

    folder: Path
    spec: RecordSpec
    splits: Mapping[str, list[ShardSummary]]
    extra: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path | str, verify: bool = True) -> RecordFolder:
        """Read the index and check that every shard is the one it describes.

        Args:
            folder: that a stage wrote.
            verify: whether checksums are compared; sizes always are.

        Raises:
            InputError: the index or a shard is missing, cut short or altered.
        """
        folder = Path(folder)
        advice = f"run `dvc repro {folder.name}`, or `dvc checkout` to restore it from the cache"
        if not (folder / INDEX).is_file():
            raise InputError(f"{folder / INDEX} is missing: {advice}")
        index = read_json(folder / INDEX)
        for summaries in index["splits"].values():
            for summary in summaries:
                _check_shard(folder / summary["file"], summary, verify, advice)
        spec = RecordSpec.from_json(index["fields"])
        return cls(folder, spec, index["splits"], index["extra"])

    def shards(self, split: str) -> int:
        """Number of shards of a split."""
        return len(self.splits[split])

    def count(self, split: str) -> int:
        """Number of images in a split."""
        return sum(int(summary["examples"]) for summary in self.splits[split])

    def serialized(self, split: str, shard: int) -> tf.data.Dataset:
        """One shard's records, scalar strings, in order."""
        path = self.folder / self.splits[split][shard]["file"]
        return tf.data.TFRecordDataset(str(path))

    def dataset(self, split: str, shard: int) -> tf.data.Dataset:
        """One shard's records, parsed, in order."""
        return self.serialized(split, shard).map(
            self.spec.parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )


def _check_shard(path: Path, summary: ShardSummary, verify: bool, advice: str) -> None:
    if not path.is_file():
        raise InputError(f"{path} is missing: {advice}")
    size = path.stat().st_size
    if size != summary["bytes"]:
        raise InputError(f"{path} has {size} bytes instead of {summary['bytes']}: {advice}")
    if verify and sha256(path) != summary["sha256"]:
        raise InputError(f"{path} is not what was written (its checksum differs): {advice}")
