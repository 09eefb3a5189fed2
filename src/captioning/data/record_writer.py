"""Write sharded TFRecords, and the JSON index that describes the finished shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from captioning.core.errors import InputError
from captioning.core.files import atomic_path, sha256
from captioning.core.opening import DamagedError, read_sealed_json, write_sealed_json
from captioning.core.splits import INDEX, shard_name
from captioning.data.record_spec import RecordSpec, ShardSummary


def write_shards(
    folder: Path | str,
    split: str,
    spec: RecordSpec,
    shards: Sequence[Iterable[Mapping[str, Any]]],
    resume: bool = False,
) -> list[ShardSummary]:
    """Write the shards of one split, one after the other.

    Args:
        folder: where the shards are written.
        split: name of the split, which becomes part of the file names.
        spec: specification of the records.
        shards: for each shard, its examples; they are consumed lazily.
        resume: whether to keep finished shards that an earlier run of the same work left in
            `folder`. Their examples are not consumed.

    Returns:
        The summary of each shard.

    Raises:
        InputError: an image id occurs twice in the split, or a shard cannot be written.
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
    """Write one shard under a temporary name, and rename it when it is complete.

    Args:
        path: file of the shard.
        split: name of the split, for error messages.
        spec: specification of the records.
        examples: examples of the shard.
        seen: image ids of earlier shards, which must not occur again; those of this shard are
            added.
        resume: whether to keep a finished shard that is already there. If so, the summary of a
            new shard is also saved to `summary_path`.

    Returns:
        The summary of the shard.

    Raises:
        InputError: an image id occurs twice in the split, or the shard cannot be written.
    """
    summary = finished_shard(path) if resume else None
    if summary is None:
        summary = _write_new_shard(path, split, spec, examples, seen)
        if resume:
            write_sealed_json(summary_path(path), summary)
    return summary


def _write_new_shard(
    path: Path,
    split: str,
    spec: RecordSpec,
    examples: Iterable[Mapping[str, Any]],
    seen: set[str],
) -> ShardSummary:
    """Write a shard, read it back to check it, and summarize it."""
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
                f"{path} cannot be written ({error.message}): check the disk"
            ) from None
        # TensorFlow verifies the checksums of TFRecords only when it reads them.
        _check_readable(temporary, written)
    return {
        "file": path.name,
        "examples": written,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
    }


def _check_readable(path: Path, expected: int) -> None:
    """Read a shard that was just written, and count its records."""
    try:
        found = sum(1 for _ in tf.data.TFRecordDataset(str(path)))
    except tf.errors.DataLossError as error:
        raise InputError(f"{path} cannot be read after writing it: {error.message}") from None
    if found != expected:
        raise InputError(
            f"{path} contains {found} records, but {expected} were written: check for a full disk"
        )


def finished_shard(path: Path) -> ShardSummary | None:
    """The summary of a shard that an earlier run finished; None if it is missing or altered."""
    if not (path.is_file() and summary_path(path).is_file()):
        return None
    try:
        summary: ShardSummary = read_sealed_json(summary_path(path))
    except DamagedError:
        return None
    return summary if sha256(path) == summary["sha256"] else None


def summary_path(shard: Path) -> Path:
    """File that holds the summary of a finished shard until the index is written."""
    return shard.with_suffix(".json")


def write_index(
    folder: Path | str,
    spec: RecordSpec,
    splits: Mapping[str, list[ShardSummary]],
    extra: Mapping[str, Any],
) -> None:
    """Write `index.json`. It is written last, so a folder with an index is complete.

    Args:
        folder: folder of the shards.
        spec: specification of the records.
        splits: for each split, the summaries that `write_shards` returned.
        extra: further facts that readers need, such as how the records were made.
    """
    index = {"fields": spec.to_json(), "splits": dict(splits), "extra": dict(extra)}
    write_sealed_json(Path(folder) / INDEX, index)
