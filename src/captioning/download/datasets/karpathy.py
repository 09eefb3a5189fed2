"""Datasets with one of Karpathy's split files (see `karpathy_file`): COCO, Flickr8k, Flickr30k."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.download.datasets.base import SPLITS, Example, Rejections
from captioning.download.datasets.karpathy_file import KarpathyImage, read_karpathy
from captioning.download.datasets.listed_images import ListedImage, listed_examples, reject_unlisted
from captioning.download.sources.image_files import ImageFiles
from captioning.download.sources.locate import locate
from captioning.download.sources.zip_archive import Archive
from captioning.params.datasets import KarpathyParams

# Most bytes of a split file; COCO's has 144 MB.
_LIMIT = 1 << 30
_SPLITS = {"train": "train", "restval": "train", "val": "validation", "test": "test"}


class Karpathy:
    """The splits of the file, each in the file's order.

    An `image_id` is the file's name without its suffix; COCO's hold the name of their folder.
    Rejected and counted: images that are listed but missing, and images that lie beside the listed
    ones but in no split.
    """

    extras: Sequence[pa.Field] = ()

    def __init__(self, params: KarpathyParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples, one image in memory at a time.

        Raises:
            InputError: no images are named, a file can't be fetched or is not as it should be, or
                a split has no image.
        """
        places = self._params.images
        if not places:
            raise InputError(
                "`images` of this dataset in params.yaml is empty: name the folder or zip archive "
                "with the images of the split file"
            )
        # The small one first: a wrong source is found before the large download.
        images = self._split_file()
        sums = self._params.images_md5 or [None] * len(places)
        located = [locate(place, md5) for place, md5 in zip(places, sums, strict=True)]
        with ImageFiles(located) as files:
            reject_unlisted((image.path for image in images), files, rejections)
            yield from listed_examples(self._chosen(images), files, rejections)

    def _split_file(self) -> list[KarpathyImage]:
        """All images of the split file."""
        path = locate(self._params.annotations, self._params.annotations_md5)
        if path.suffix == ".zip":
            with Archive(path) as archive:
                member = _member(archive, self._params.split_file)
                return list(read_karpathy(archive.read(member, _LIMIT), f"{path}: {member}"))
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} can't be read ({error})") from None
        return list(read_karpathy(content, str(path)))

    def _chosen(self, images: Sequence[KarpathyImage]) -> list[ListedImage]:
        """What the params take of each split, under this project's names of the splits."""
        left_out = {"restval"} if self._params.restval == "exclude" else set()
        listed = [
            ListedImage(
                PurePosixPath(image.path).stem,
                _SPLITS[image.split],
                image.path,
                image.captions,
            )
            for image in images
            if image.split not in left_out
        ]
        return [
            image
            for split in SPLITS
            for image in islice(
                (image for image in listed if image.split == split),
                getattr(self._params, f"{split}_images"),
            )
        ]


def _member(archive: Archive, split_file: str) -> str:
    """The split file in an archive, at whatever depth."""
    found = [name for name in archive.names if f"/{name}".endswith(f"/{split_file}")]
    if len(found) != 1:
        files = ", ".join(name for name in archive.names if Path(name).suffix == ".json")
        raise InputError(
            f"{archive.path} has {len(found) or 'no'} {split_file}: set split_file in params.yaml "
            f"to one of its JSON files ({files or 'it has none'})"
        )
    return found[0]
