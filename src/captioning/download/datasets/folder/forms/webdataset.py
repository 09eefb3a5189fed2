"""WebDataset shards, as img2dataset writes them too: tar archives of images and captions.

The shards are in the folder, or in an object store, and `shards.txt` in the folder has their URLs.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from typing import Any

from captioning.core.errors import InputError
from captioning.data.images.decode import IMAGE_SUFFIXES
from captioning.data.local_file import MAX_IMAGE_BYTES
from captioning.download.datasets.folder.files import FolderFiles, suffix
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Row, RowError, caption_texts
from captioning.download.datasets.folder.shard_list import SHARD_LIST, read_shard_list
from captioning.download.datasets.folder.tar_samples import Sample, read_samples
from captioning.download.datasets.folder.text_tables import NOT_UTF8

# Where a sample's captions are: the first of these files that it has.
_CAPTION_KINDS = ("json", "txt", "caption", "text")
_IMAGE_KINDS = tuple(suffix.removeprefix(".") for suffix in sorted(IMAGE_SUFFIXES))
_CAPTION_KEYS = ("caption", "captions", "text")


def find_webdataset(files: FolderFiles) -> Form | None:
    """The tar archives in the folder and its subfolders, or those that `shards.txt` lists."""
    shards = tuple(name for name in files.visible() if suffix(name) == ".tar")
    if SHARD_LIST in files.visible():
        listed = read_shard_list(files.root)
        if shards:
            raise InputError(
                f"{files.root} has shards and a list of shards, {SHARD_LIST}: remove one of them"
            )
        shards = tuple(listed)
    name = f"WebDataset, {len(shards):,} shard{'s'[: len(shards) > 1]}"
    return Form(name, shards, _read) if shards else None


def _read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield one row for each sample that has an image."""
    with files.open(name) as file:
        for sample in read_samples(file, name, frozenset(_CAPTION_KINDS), problems):
            location = Location(name, part=sample.key)
            image = next(
                (kind for kind in sample.members if kind.rpartition(".")[2] in _IMAGE_KINDS), None
            )
            if image is None:
                continue
            try:
                if sample.members[image].size > MAX_IMAGE_BYTES:
                    raise RowError(f"its image is larger than {MAX_IMAGE_BYTES:,} bytes")
                yield Row(location, sample.members[image], _captions(sample), None)
            except RowError as error:
                problems.add(location, str(error))


def _captions(sample: Sample) -> tuple[str, ...]:
    """The captions of a sample; each line of a text is one.

    Raises:
        RowError: a file is not valid.
    """
    for kind in _CAPTION_KINDS:
        if kind not in sample.texts:
            continue
        try:
            text = sample.texts[kind].decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RowError(f"{posixpath.basename(sample.key)}.{kind} {NOT_UTF8}") from None
        captions = _of_json(text) if kind == "json" else _of_lines(text)
        if captions:
            return tuple(captions)
    return ()


def _of_lines(text: str) -> list[str]:
    """The lines of a text that are not blank."""
    return caption_texts([line for line in text.split("\n") if line.strip()])


def _of_json(text: str) -> list[str]:
    """The captions in an object; none if it is about something else.

    Raises:
        RowError: it is not valid JSON, or a caption is not a text.
    """
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowError(f"its JSON file is not valid ({error})") from None
    keys = [key for key in _CAPTION_KEYS if key in value] if isinstance(value, dict) else []
    return caption_texts(value[keys[0]]) if keys else []
