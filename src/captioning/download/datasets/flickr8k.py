"""Flickr8k: 8,091 photographs with five captions each, from the official release or from Kaggle.

M. Hodosh, P. Young, J. Hockenmaier: Framing Image Description as a Ranking Task, JAIR 47, 2013.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.download.datasets.base import FILE_COLUMN, Example, Rejections
from captioning.download.datasets.kaggle_flickr8k import CAPTIONS_FILE as KAGGLE_CAPTIONS
from captioning.download.datasets.kaggle_flickr8k import find_captions, kaggle_images
from captioning.download.datasets.listed_images import ListedImage, listed_examples, reject_unlisted
from captioning.download.sources.fetch import check_md5, fetch
from captioning.download.sources.image_files import ImageFiles
from captioning.download.sources.locate import is_url
from captioning.download.sources.zip_archive import ZipArchive
from captioning.params.datasets import Flickr8kParams

IMAGES_ARCHIVE = "Flickr8k_Dataset.zip"
CAPTIONS_ARCHIVE = "Flickr8k_text.zip"
CAPTIONS_FILE = "Flickr8k.token.txt"
FLICKR30K_FILE = "results.csv"
SPLIT_FILES = {
    "train": "Flickr_8k.trainImages.txt",
    "validation": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}

# Largest number of bytes that one text file may expand to.
_MAX_TEXT_BYTES = 64 << 20
_CAPTION_LINE = re.compile(r"([^\t]+)#(\d+)\t(.*)", re.DOTALL)


class Flickr8k:
    """The official splits, each in the order of its split file, also for Kaggle's data.

    The `image_id` is the file name without `.jpg`. The following are left out and counted: images
    in no split, images that are listed but missing, captions of images that do not exist, and
    malformed caption lines (named by line number, from 1).
    """

    extras: Sequence[pa.Field] = (FILE_COLUMN,)

    def __init__(self, params: Flickr8kParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples, with one image in memory at a time.

        Raises:
            InputError: an archive cannot be fetched, or lacks a file of the release.
        """
        source = os.environ.get("CAPTIONING_SOURCE") or self._params.source
        if (unpacked := _unpacked(source)) is not None:
            with ImageFiles([unpacked]) as files:
                yield from self._unpacked_examples(unpacked, files, rejections)
            return
        # The small archive comes first, so that a wrong source is noticed early.
        captions_path = fetch(source, CAPTIONS_ARCHIVE, self._params.captions_md5)
        images_path = fetch(source, IMAGES_ARCHIVE, self._params.images_md5)
        with ZipArchive(captions_path) as text, ImageFiles([images_path]) as images:
            yield from _examples(_of_release(text, images, rejections), images, rejections)

    def _unpacked_examples(
        self, path: Path, files: ImageFiles, rejections: Rejections
    ) -> Iterator[Example]:
        """Yield the examples of Kaggle's data, or of the release if it is unpacked.

        Raises:
            InputError: it is something else, or does not have the MD5 sums of the params.
        """
        captions = find_captions(files)
        if captions is None and files.find(CAPTIONS_FILE) is None:
            raise _something_else(path, files)
        images_md5, captions_md5 = self._params.images_md5, self._params.captions_md5
        if (images_md5 and path.is_dir()) or (captions_md5 and captions is None):
            what = "the unpacked release" if captions is None else "Kaggle's Flickr8k"
            raise InputError(
                f"source {path} is {what}, which the MD5 sums of the release's archives do not "
                "describe: set datasets.flickr8k.images_md5 and captions_md5 to null"
            )
        if images_md5:
            check_md5(path, images_md5)
        if captions is None:
            listed = _of_release(_UnpackedTexts(path, files), files, rejections)
            print(f"read as: the unpacked release of Flickr8k, {len(listed):,} pictures")
        else:
            listed = kaggle_images(captions, captions_md5)
        yield from _examples(listed, files, rejections)


def _something_else(path: Path, files: ImageFiles) -> InputError:
    """The error for a source that is neither the release nor Kaggle's Flickr8k."""
    if files.find(FLICKR30K_FILE) is not None:
        return InputError(
            f"source {path} contains {FLICKR30K_FILE}, as Flickr30k does: use dataset: folder, or "
            "dataset: karpathy, which has its usual splits"
        )
    return InputError(
        f"source {path} contains neither the archives of the release, {CAPTIONS_ARCHIVE} and "
        f"{IMAGES_ARCHIVE}, nor {CAPTIONS_FILE}, nor Kaggle's {KAGGLE_CAPTIONS} with the images: "
        "correct the source, or use dataset: folder"
    )


class _Texts(Protocol):
    """The text files of the release."""

    path: Path

    def lines(self, name: str, limit: int) -> Iterator[bytes]:
        """Yield the lines of a file, without their line ends."""
        ...


class _UnpackedTexts:
    """The text files of the release among some files; see `_Texts`."""

    def __init__(self, path: Path, files: ImageFiles) -> None:
        self.path = path
        self._files = files

    def lines(self, name: str, limit: int) -> Iterator[bytes]:
        file = self._files.find(name)
        if file is None:
            raise InputError(f"source {self.path} does not contain the file {name}: put it there")
        return (line.rstrip(b"\r") for line in file.source.read(file.name, limit).split(b"\n"))


def _unpacked(source: str) -> Path | None:
    """The local folder or file that a source names; None for a URL or a folder of the archives."""
    path = Path(source).expanduser()
    if is_url(source) or any((path / name).exists() for name in (CAPTIONS_ARCHIVE, IMAGES_ARCHIVE)):
        return None
    return path if path.exists() else None


def _examples(
    listed: Sequence[ListedImage], images: ImageFiles, rejections: Rejections
) -> Iterator[Example]:
    reject_unlisted((image.path for image in listed), images, rejections)
    yield from listed_examples(listed, images, rejections)


def _of_release(text: _Texts, images: ImageFiles, rejections: Rejections) -> list[ListedImage]:
    """The images that the release's split files list."""
    splits = {split: _image_names(text, file) for split, file in SPLIT_FILES.items()}
    captions = _captions(text, images, rejections)
    return [
        ListedImage(name.removesuffix(".jpg"), split, name, tuple(captions.get(name, ())))
        for split, names in splits.items()
        for name in names
    ]


def _image_names(text: _Texts, file: str) -> list[str]:
    """The image names in a split file, which has one per line."""
    try:
        lines = [line.decode("utf-8-sig").strip() for line in text.lines(file, _MAX_TEXT_BYTES)]
    except UnicodeDecodeError as error:
        raise InputError(f"{text.path}: {file} is not UTF-8 text ({error})") from None
    return [line for line in lines if line]


def _captions(text: _Texts, images: ImageFiles, rejections: Rejections) -> dict[str, list[str]]:
    """Captions by image name, from lines `name.jpg#k<TAB>caption`; blank lines are skipped."""
    captions = defaultdict(list)
    for number, line in enumerate(text.lines(CAPTIONS_FILE, _MAX_TEXT_BYTES), start=1):
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
