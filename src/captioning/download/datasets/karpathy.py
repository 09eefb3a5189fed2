"""Datasets with one of Karpathy's split files: COCO, Flickr8k and Flickr30k."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.data.local_file import read_image_file
from captioning.download.datasets.base import FILE_COLUMN, SPLITS, Example, Rejections
from captioning.download.datasets.karpathy_split_file import KarpathyImage, read_karpathy
from captioning.download.datasets.listed_images import ListedImage, listed_examples, reject_unlisted
from captioning.download.sources.image_files import ImageFiles
from captioning.download.sources.locate import locate
from captioning.download.sources.zip_archive import ZipArchive
from captioning.params.datasets import KarpathyParams

# Largest size of a split file, in bytes; COCO's has 144 MB.
_MAX_SPLIT_FILE_BYTES = 1 << 30
# This project's splits by their names in the split file.
_SPLITS = {"train": "train", "restval": "train", "val": "validation", "test": "test"}


class Karpathy:
    """The splits of a split file, each in the order of the file.

    The `image_id` is the file name without its suffix, which in COCO contains the folder's name. If
    several images have the same one, their `image_id` is the whole path. The following are left out
    and counted: images that are listed but missing, and images in the same folders that belong to
    no split.
    """

    extras: Sequence[pa.Field] = (FILE_COLUMN,)

    def __init__(self, params: KarpathyParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples, with one image in memory at a time.

        Raises:
            InputError: `images` is empty, a file cannot be fetched or has the wrong layout, or a
                split has no image.
        """
        places = self._params.images
        if not places:
            raise InputError(
                "`images` of this dataset in params.yaml is empty: name the folder or zip archive "
                "that contains the images of the split file"
            )
        # The small file comes first, so that a wrong source is noticed early.
        images = self._read_split_file()
        sums = self._params.images_md5 or [None] * len(places)
        located = [locate(place, md5) for place, md5 in zip(places, sums, strict=True)]
        with ImageFiles(located) as files:
            reject_unlisted((image.path for image in images), files, rejections)
            yield from listed_examples(self._selected(images), files, rejections)

    def _read_split_file(self) -> list[KarpathyImage]:
        """All images of the split file."""
        path = locate(self._params.annotations, self._params.annotations_md5)
        if path.suffix == ".zip":
            with ZipArchive(path) as archive:
                member = _find_member(archive, self._params.split_file)
                content = archive.read(member, _MAX_SPLIT_FILE_BYTES)
                return list(read_karpathy(content, f"{path}: {member}"))
        content = read_image_file(path, limit=_MAX_SPLIT_FILE_BYTES)
        return list(read_karpathy(content, str(path)))

    def _selected(self, images: Sequence[KarpathyImage]) -> list[ListedImage]:
        """The images of each split that the params select, under this project's split names."""
        ids = _ids([image.path for image in images])
        left_out = {"restval"} if self._params.restval == "exclude" else set()
        listed = [
            ListedImage(
                ids[image.path],
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


def _ids(paths: Sequence[str]) -> dict[str, str]:
    """The `image_id` of each path: its stem, or the path if others have the same stem.

    >>> _ids(["x.jpg", "x.png", "y.jpg"])
    {'x.jpg': 'x.jpg', 'x.png': 'x.png', 'y.jpg': 'y'}
    """
    stems = {path: PurePosixPath(path).stem for path in paths}
    # A path must not be the stem of another one either, like x.jpg and x.jpg.png.
    taken = Counter([*stems.values(), *(path for path, stem in stems.items() if path != stem)])
    return {path: stem if taken[stem] == 1 else path for path, stem in stems.items()}


def _find_member(archive: ZipArchive, split_file: str) -> str:
    """The name of the split file in an archive, in whichever folder it is."""
    found = [name for name in archive.names if f"/{name}".endswith(f"/{split_file}")]
    if len(found) != 1:
        files = ", ".join(name for name in archive.names if Path(name).suffix == ".json")
        raise InputError(
            f"{archive.path} contains {len(found) or 'no'} {split_file}: set split_file in "
            f"params.yaml to one of its JSON files ({files or 'it has none'})"
        )
    return found[0]
