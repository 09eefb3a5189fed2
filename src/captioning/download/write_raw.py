"""From a dataset's examples to the raw table: what is checked, and what is left out.

Apart from `raw`, which every later stage reads with: those don't depend on any dataset.
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
from captioning.data.images import ImageError, decode_image
from captioning.data.raw_table import COLUMNS, ROW_GROUP
from captioning.download.closing import Closing
from captioning.download.datasets.base import Dataset, Example, Rejections, caption_fault


def write_raw(
    dataset: Dataset, folder: Path | str, shards: int, rejections: Rejections
) -> dict[str, Any]:
    """Write a dataset's examples as shards: example i of a split goes to shard i % `shards`.

    Every image is decoded once. What can't be used is left out and added to `rejections`: an image
    that can't be decoded, one whose `image_id` came before in any split, a caption that is empty
    or has neither letter nor digit, an image left without captions. Captions are trimmed,
    otherwise kept as they are. A shard is written under a temporary name and renamed once it is
    whole.

    Returns:
        `images` and `captions`, counts by split; `rejected`, counts by reason; `rejected_names`,
        the first names by reason.

    Raises:
        InputError: a split has no image, or `shards` files a split can't be open at once.
    """
    schema = pa.schema([*COLUMNS, *dataset.extras])
    images: Counter[str] = Counter()
    captions: Counter[str] = Counter()
    with ExitStack() as stack:
        writers = {
            split: [
                stack.enter_context(_ShardWriter(path, schema))
                for path in _whole_paths(stack, Path(folder), split, shards)
            ]
            for split in SPLITS
        }
        examples = tqdm(dataset.examples(rejections), unit=" images", disable=None)
        for split, row in _rows(examples, rejections):
            writers[split][images[split] % shards].write(row)
            images[split] += 1
            captions[split] += len(row["captions"])
        for split in SPLITS:
            if not images[split]:
                raise InputError(
                    f"the {split} split has no usable image: every split needs one "
                    f"(rejected: {rejections.counts() or 'none'})"
                )
    return {
        "images": {split: images[split] for split in SPLITS},
        "captions": {split: captions[split] for split in SPLITS},
        "rejected": rejections.counts(),
        "rejected_names": rejections.items(),
    }


def _rows(
    examples: Iterable[Example], rejections: Rejections
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Check examples one by one; yield the split and the row of each that is usable."""
    seen: set[str] = set()
    for example in examples:
        if example.image_id in seen:
            rejections.add("duplicate image id", example.image_id)
            continue
        seen.add(example.image_id)
        try:
            width, height = decode_image(example.image, example.image_id).size
        except ImageError as error:
            rejections.add(error.reason, example.image_id)
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
    """The trimmed captions that have a word."""
    captions = []
    for number, caption in enumerate(example.captions):
        trimmed = caption.strip()
        if (fault := caption_fault(trimmed)) is None:
            captions.append(trimmed)
        else:
            rejections.add(fault, f"{example.image_id} caption {number}")
    return captions


def _whole_paths(stack: ExitStack, folder: Path, split: str, shards: int) -> Iterator[Path]:
    """Temporary paths of a split's shards, renamed when `stack` closes well."""
    for shard in range(shards):
        yield stack.enter_context(atomic_path(folder / shard_name(split, shard, shards, "parquet")))


class _ShardWriter(Closing):
    """Writes rows to one Parquet file in groups of `ROW_GROUP`, so that little is in memory."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        try:
            # Statistics would repeat whole images; dictionaries gain nothing on unique values.
            self._writer = pq.ParquetWriter(
                path, schema, compression="zstd", use_dictionary=False, write_statistics=False
            )
        except OSError as error:
            raise InputError(
                f"{path} can't be written ({error}): see to the disk, or lower download.shards "
                "where too many files are open"
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
        """Close the file; keep the rows of a block that ended well."""
        try:
            if complete and self._rows:
                self._flush()
        finally:
            self._writer.close()
