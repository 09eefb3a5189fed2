"""Check a dataset's examples and write them as the raw table.

This is separate from `captioning.data.raw_table`, which later stages read the table with, so that
those stages do not depend on the datasets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from captioning.core.errors import InputError
from captioning.core.files import atomic_path
from captioning.core.splits import SPLITS, shard_name
from captioning.data.images.decode import ImageError, decode_image
from captioning.data.raw_table import COLUMNS, ROW_GROUP
from captioning.download.closing import Closing
from captioning.download.datasets.base import (
    Dataset,
    Example,
    Rejections,
    caption_rejection_reason,
)
from captioning.download.names import check_name


def write_raw(
    dataset: Dataset, folder: Path | str, shards: int, rejections: Rejections
) -> dict[str, Any]:
    """Write a dataset's examples as shards: example i of a split goes to shard i % `shards`.

    Every image is decoded once, to check it. The following are left out and added to `rejections`:
    an image that cannot be decoded, an image whose `image_id` has occurred before in any split, a
    caption that is empty or has neither a letter nor a digit, and an image without any caption
    left. Leading and trailing white space of captions is removed; otherwise they are unchanged.
    Each shard is written under a temporary name and renamed when it is complete.

    Args:
        dataset: where the examples come from.
        folder: folder of the shards.
        shards: number of files for each split.
        rejections: collects what is left out.

    Returns:
        `images` and `captions`: counts by split; `rejected`: counts by reason; `rejected_names`:
        the first names for each reason.

    Raises:
        InputError: a split has no usable image, an `image_id` leads outside the folder of the data
            (see `names`), or a shard cannot be opened for writing.
    """
    schema = pa.schema([*COLUMNS, *dataset.extras])
    images: Counter[str] = Counter()
    captions: Counter[str] = Counter()
    with ExitStack() as stack:
        writers = {
            split: [
                stack.enter_context(_ShardWriter(path, schema))
                for path in _temporary_paths(stack, Path(folder), split, shards)
            ]
            for split in SPLITS
        }
        examples = tqdm(dataset.examples(rejections), unit=" images", disable=None)
        for split, row in _usable_rows(examples, rejections):
            writers[split][images[split] % shards].write(row)
            images[split] += 1
            captions[split] += len(row["captions"])
        for split in SPLITS:
            if not images[split]:
                raise InputError(
                    f"the {split} split has no usable image, but every split needs at least one "
                    f"(rejected: {rejections.counts() or 'none'})"
                )
    return {
        "images": {split: images[split] for split in SPLITS},
        "captions": {split: captions[split] for split in SPLITS},
        "rejected": rejections.counts(),
        "rejected_names": rejections.listed_names(),
    }


def _usable_rows(
    examples: Iterable[Example], rejections: Rejections
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Check each example and yield the split and the table row of those that are usable."""
    seen: set[str] = set()
    for example in examples:
        check_name(example.image_id, "image")
        if example.image_id in seen:
            rejections.add("duplicate image id", example.image_id)
            continue
        seen.add(example.image_id)
        try:
            width, height = decode_image(example.image, example.image_id).size
        except ImageError as error:
            rejections.add(error.reason, f"{example.image_id} ({error.detail})")
            continue
        captions = _usable_captions(example, rejections)
        if not captions:
            rejections.add("image without captions", example.image_id)
            continue
        yield (
            example.split,
            {
                "image_id": example.image_id,
                "image": example.image,
                "width": width,
                "height": height,
                "captions": captions,
                **example.extras,
            },
        )


def _usable_captions(example: Example, rejections: Rejections) -> list[str]:
    """The captions with at least one letter or digit, without surrounding white space."""
    captions = []
    for number, caption in enumerate(example.captions):
        trimmed = caption.strip()
        if (reason := caption_rejection_reason(trimmed)) is None:
            captions.append(trimmed)
        else:
            rejections.add(reason, f"{example.image_id} caption {number}")
    return captions


def _temporary_paths(stack: ExitStack, folder: Path, split: str, shards: int) -> Iterator[Path]:
    """Temporary paths of a split's shards; `stack` renames the files if it closes without error."""
    for shard in range(shards):
        yield stack.enter_context(atomic_path(folder / shard_name(split, shard, shards, "parquet")))


class _ShardWriter(Closing):
    """Writes rows to one Parquet file, keeping at most `ROW_GROUP` of them in memory."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        try:
            # Statistics would repeat whole images; dictionaries save nothing on unique values.
            # Checksums let later stages notice a damaged shard.
            self._writer = pq.ParquetWriter(
                path,
                schema,
                compression="zstd",
                use_dictionary=False,
                write_statistics=False,
                write_page_checksum=True,
            )
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error}): check the disk's free space and permissions, "
                "or lower download.shards if too many files are open"
            ) from error

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self._rows.append(row)
        if len(self._rows) == ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        table = pa.Table.from_pylist(self._rows, self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._rows.clear()

    def close(self, complete: bool = True) -> None:
        """Write the remaining rows, unless the block raised an exception, and close the file."""
        try:
            if complete and self._rows:
                self._flush()
        finally:
            self._writer.close()
