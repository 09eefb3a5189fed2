"""The user's own pictures: a folder of images with captions, in one of several layouts.

- `captions.csv`, `.tsv`, `.jsonl` or `.parquet` in the folder, with the columns or keys image,
  caption or captions, and split (optional); or `metadata.` instead of `captions.`;
- one such file in each of the folders `train`, `validation`, `test` (Hugging Face's imagefolder);
- Parquet files with the same columns that hold the images too, as Hugging Face's `datasets` stores;
- a `.txt` beside each image, a caption a line.

Names of columns are those in `rows`, of splits those in `split_names`. Paths are relative to the
caption file. An image may be in several rows, whose captions are gathered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from tqdm import tqdm

from captioning.download.datasets.base import SPLITS, Example, Rejections
from captioning.download.datasets.folder.duplicates import without_duplicates
from captioning.download.datasets.folder.files import Files
from captioning.download.datasets.folder.layout import find_layout
from captioning.download.datasets.folder.pictures import Picture, gather, read_images
from captioning.download.datasets.folder.problems import Problems
from captioning.download.datasets.folder.splits import cut_splits, give_splits
from captioning.params.datasets import FolderParams


class Folder:
    """The pictures of each split in the order in which their captions stand.

    What has to be mended is told at once, before anything is written; what can do without is
    rejected and counted: images without captions, captions without a word, copies of a picture,
    images that can't be decoded, text files beside no image.
    """

    extras: Sequence[pa.Field] = ()

    def __init__(self, params: FolderParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples, few images in memory at a time.

        Every image is read twice: once to tell copies and decide the splits, once to be yielded.

        Raises:
            InputError: there are no captions, or more than one source of them; or it lists, by
                file and line, all that is wrong: malformed lines, missing columns, unknown splits,
                images named that are not there, files that can't be read.
        """
        files, problems = Files(self._params.path), Problems()
        pictures = self._captioned(files, problems, rejections)
        problems.raise_any(files.root)
        images = read_images(files, pictures, problems)
        checked = tqdm(images, "comparing", len(pictures), unit=" images", disable=None)
        distinct = without_duplicates(checked, rejections)
        problems.raise_any(files.root)
        cut_splits(distinct, self._params, rejections)
        kept = {picture.name for picture in distinct}
        # In the order of the captions, in which Parquet files can be read from start to end.
        ordered = [picture for picture in pictures if picture.name in kept]
        for split in SPLITS:
            chosen = [picture for picture in ordered if picture.split == split]
            for picture, image in read_images(files, chosen, problems):
                yield Example(picture.name, split, image, tuple(picture.captions), {})
        problems.raise_any(files.root)

    def _captioned(self, files: Files, problems: Problems, rejections: Rejections) -> list[Picture]:
        """The pictures that have captions; the others are added to `rejections`."""
        layout = find_layout(files)
        pictures = gather(layout.rows(files, problems), files, problems, rejections)
        give_splits(pictures, problems)
        captioned = [picture for picture in pictures if picture.captions]
        without = {picture.name for picture in pictures if not picture.captions}
        without.update(set(files.images()).difference(picture.file for picture in pictures))
        for name in sorted(without):
            rejections.add("image without captions", name)
        for name in layout.strays:
            rejections.add("text file beside no image", name)
        for name in files.foreign:
            rejections.add("file name that is not UTF-8", name)
        return captioned
