"""Stage `tokens`: write the captions as token ids.

Shard k of the records holds the same images in the same order as shard k of the raw table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from captioning.core.errors import InputError
from captioning.core.splits import SPLITS
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_spec import Field, RecordSpec
from captioning.data.record_writer import write_index, write_shards
from captioning.text import Vocabulary

#: Records with the token ids of each caption of an image: [START], words, [END], no padding.
TOKEN_SPEC = RecordSpec(
    (Field("image_id", "string", ()), Field("tokens", "int32", (None, None))),
)


def write_tokens(
    raw: Path | str, folder: Path | str, vocabulary: Vocabulary, max_length: int
) -> dict[str, Any]:
    """Write one record per image, with the token ids of its captions, for all splits.

    Args:
        raw: folder of the raw table.
        folder: where the shards and their index are written.
        vocabulary: vocabulary that encodes the captions.
        max_length: maximum number of ids in a caption, including `[START]` and `[END]`.

    Returns:
        For each split, the figures of `length_summary`.

    Raises:
        InputError: an image has no caption.
    """
    summary, shards = {}, {}
    for split in SPLITS:
        lengths: list[int] = []
        records = [
            _records(path, vocabulary, max_length, lengths) for path in raw_shards(raw, split)
        ]
        shards[split] = write_shards(folder, split, TOKEN_SPEC, records)
        summary[split] = length_summary(lengths, max_length)
    extra = {"vocabulary_sha256": vocabulary.sha256, "max_length": max_length}
    write_index(folder, TOKEN_SPEC, shards, extra)
    return summary


def length_summary(lengths: list[int], max_length: int) -> dict[str, Any]:
    """Figures about the captions of one split.

    Args:
        lengths: number of ids in each caption before truncation, including `[START]` and `[END]`.
        max_length: length to which longer captions are truncated.

    Returns:
        `captions`, their number; `length`, with mean, p50, p95 and max before truncation, zeros if
        there are no captions; `truncated` and `truncated_share`, number and share of captions
        longer than `max_length`.
    """
    values = np.array(lengths or [0])
    truncated = int((values > max_length).sum())
    return {
        "captions": len(lengths),
        "length": {
            "mean": round(float(values.mean()), 6),
            "p50": float(np.percentile(values, 50)),
            "p95": float(np.percentile(values, 95)),
            "max": int(values.max()),
        },
        "truncated": truncated,
        "truncated_share": round(truncated / len(values), 6),
    }


def _records(
    path: Path,
    vocabulary: Vocabulary,
    max_length: int,
    lengths: list[int],
) -> Iterator[Mapping[str, object]]:
    """Records of one shard; appends the length of each caption before truncation to `lengths`."""
    for row in read_raw_shard(path, columns=["image_id", "captions"]):
        if not row["captions"]:
            raise InputError(f"{path}: image {row['image_id']!r} has no caption")
        tokens = []
        for caption in row["captions"]:
            lengths.append(len(vocabulary.encode(caption)))
            tokens.append(vocabulary.encode(caption, max_length))
        yield {"image_id": row["image_id"], "tokens": tokens}
