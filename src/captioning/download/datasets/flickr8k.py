"""Flickr8k: 8,091 photographs with five captions each, in the layout of the official release.

M. Hodosh, P. Young, J. Hockenmaier: Framing Image Description as a Ranking Task, JAIR 47, 2013.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.listed_images import ListedImage, listed_examples, reject_unlisted
from captioning.download.sources.fetch import fetch
from captioning.download.sources.image_files import ImageFiles
from captioning.download.sources.zip_archive import Archive
from captioning.params.datasets import Flickr8kParams

IMAGES_ARCHIVE = "Flickr8k_Dataset.zip"
CAPTIONS_ARCHIVE = "Flickr8k_text.zip"
CAPTIONS_FILE = "Flickr8k.token.txt"
SPLIT_FILES = {
    "train": "Flickr_8k.trainImages.txt",
    "validation": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}

# Most bytes that one member may expand to.
_TEXT_LIMIT = 64 << 20
_CAPTION_LINE = re.compile(r"([^\t]+)#(\d+)\t(.*)", re.DOTALL)


class Flickr8k:
    """The official splits, each in the order of its split file.

    An `image_id` is the file's name without `.jpg`. Rejected and counted: images in no split,
    images that are listed but missing, captions of images that don't exist, malformed caption
    lines (by line number, from 1).
    """

    extras: Sequence[pa.Field] = ()

    def __init__(self, params: Flickr8kParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples, one image in memory at a time.

        Raises:
            InputError: an archive can't be fetched or is not of the release's layout.
        """
        source = self._params.source
        # The small one first: a wrong source is found before the large download.
        captions_path = fetch(source, CAPTIONS_ARCHIVE, self._params.captions_md5)
        images_path = fetch(source, IMAGES_ARCHIVE, self._params.images_md5)
        with Archive(captions_path) as text, ImageFiles([images_path]) as images:
            splits = {split: _names(text, file) for split, file in SPLIT_FILES.items()}
            captions = _captions(text, images, rejections)
            listed = [
                ListedImage(name.removesuffix(".jpg"), split, name, tuple(captions.get(name, ())))
                for split, names in splits.items()
                for name in names
            ]
            reject_unlisted((image.path for image in listed), images, rejections)
            yield from listed_examples(listed, images, rejections)


def _names(text: Archive, file: str) -> list[str]:
    """The image names in a split file, one a line."""
    try:
        lines = [line.decode("utf-8-sig").strip() for line in text.lines(file, _TEXT_LIMIT)]
    except UnicodeDecodeError as error:
        raise InputError(f"{text.path}: {file} is not UTF-8 text ({error})") from None
    return [line for line in lines if line]


def _captions(text: Archive, images: ImageFiles, rejections: Rejections) -> dict[str, list[str]]:
    """Captions by image name, from lines `name.jpg#k<TAB>caption`; blank lines hold none."""
    captions = defaultdict(list)
    for number, line in enumerate(text.lines(CAPTIONS_FILE, _TEXT_LIMIT), start=1):
        if not line.strip():
            continue
        try:
            match = _CAPTION_LINE.fullmatch(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            match = None
        if match is None:
            rejections.add("malformed caption line", f"{CAPTIONS_FILE} line {number}")
        elif images.find(match[1]) is None:
            rejections.add("caption of an image that does not exist", f"{match[1]}#{match[2]}")
        else:
            captions[match[1]].append(match[3])
    return dict(captions)
