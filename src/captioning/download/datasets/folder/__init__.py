"""The user's own images: a folder of images with captions, in one of many forms.

`layout` finds out which one it is, `forms` has a module for each, `rows` has the names of columns,
and `split_names` those of splits. An image can be in several rows; its captions are collected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from tqdm import tqdm

from captioning.download.datasets.base import FILE_COLUMN, SPLITS, Example, Rejections
from captioning.download.datasets.folder.digests import digests_of_all
from captioning.download.datasets.folder.duplicates import without_duplicates
from captioning.download.datasets.folder.files import FolderFiles, by_stem, stem, suffix
from captioning.download.datasets.folder.images import FolderImage, group_by_image, read_images
from captioning.download.datasets.folder.layout import find_layout
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.shard_digests import (
    are_for_a_cluster,
    digests_from_cluster,
)
from captioning.download.datasets.folder.splits import assign_given_splits, assign_missing_splits
from captioning.params.datasets import FolderParams


class Folder:
    """The images of each split, in the order of their captions.

    Problems that the user has to fix are reported together, before anything is written. The
    following are left out and counted instead: images without captions, captions without a word,
    copies of an image, images that cannot be decoded, and text files without an image.
    """

    extras: Sequence[pa.Field] = (FILE_COLUMN,)

    def __init__(self, params: FolderParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples, with few images in memory at a time.

        Every image is read twice: first to find copies and to choose the splits, then to yield it.

        Raises:
            InputError: there are no captions, or several sources of them; or the folder has
                problems, which the message lists by file and line: malformed lines, missing
                columns, unknown splits, missing images, files that cannot be read.
        """
        problems = Problems()
        with FolderFiles(self._params.path) as files:
            images = self._captioned(files, problems, rejections)
            yield from self._in_splits(images, files, problems, rejections)

    def _in_splits(
        self,
        images: Sequence[FolderImage],
        files: FolderFiles,
        problems: Problems,
        rejections: Rejections,
    ) -> Iterator[Example]:
        """Choose the splits, and yield the examples: one split after the other, but for shards."""
        if are_for_a_cluster(images):
            compared = digests_from_cluster(images)
        else:
            compared = digests_of_all(read_images(files, images, problems))
        progress = tqdm(compared, "comparing", len(images), unit=" images", disable=None)
        distinct = without_duplicates(progress, rejections)
        problems.raise_any(files.root)
        assign_missing_splits(distinct, self._params, rejections)
        kept = {image.name for image in distinct}
        # In the order of the captions, so that Parquet files are read from start to end.
        ordered = [image for image in images if image.name in kept]
        by_split = [[image for image in ordered if image.split == split] for split in SPLITS]
        # Shards, which may be far away, are read once for all splits.
        for chosen in [ordered] if any(image.member for image in ordered) else by_split:
            for image, data in read_images(files, chosen, problems):
                extras = {"file": image.name}
                yield Example(image.name, str(image.split), data, tuple(image.captions), extras)
        problems.raise_any(files.root)

    def _captioned(
        self, files: FolderFiles, problems: Problems, rejections: Rejections
    ) -> list[FolderImage]:
        """The images that have captions; the other images are added to `rejections`.

        Raises:
            InputError: see `examples`.
        """
        form = find_layout(files)
        images = group_by_image(form.rows(files, problems), files, problems, rejections)
        assign_given_splits(images, problems)
        problems.raise_any(files.root)
        captioned = [image for image in images if image.captions]
        without = {image.name for image in images if not image.captions}
        without.update(set(files.images()).difference(image.file for image in images))
        for name in sorted(without):
            rejections.add("image without captions", name)
        _reject_texts(form.unmatched_texts, files, rejections)
        for name in files.undecodable:
            rejections.add("file name that is not UTF-8", name)
        print(f"read as: {form.name}, {len(captioned):,} pictures")
        return captioned


def _reject_texts(texts: Sequence[str], files: FolderFiles, rejections: Rejections) -> None:
    """Add the text files that are beside no image, and those beside a file of another kind."""
    others = by_stem([name for name in files.visible() if suffix(name) not in (".txt", ".json")])
    for name in texts:
        beside = others.get(stem(name))
        if beside:
            reason = "text file beside a file that is not read as an image"
            rejections.add(reason, f"{name} ({', '.join(beside)})")
        else:
            rejections.add("text file beside no image", name)
