"""Conceptual Captions: images of the web with their cleaned alt texts, as two lists of URLs.

P. Sharma, N. Ding, S. Goodman, R. Soricut: Conceptual Captions: A Cleaned, Hypernymed, Image
Alt-text Dataset For Automatic Image Captioning, ACL 2018.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.core.files import sha256
from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.conceptual_captions.index import (
    BLOCK_LINES,
    FingerprintSet,
    fingerprint,
    in_blocks,
    read_training_index,
    read_validation_index,
)
from captioning.download.sources.fetch import cache_folder, fetch
from captioning.download.web.fetch_missing import fetch_missing
from captioning.download.web.outcome_store import NO_OUTCOME, Block, Line, Outcome, OutcomeStore
from captioning.download.web.settings import settings_from_environment
from captioning.params.datasets import ConceptualCaptionsParams

TRAINING_INDEX = "GCC-training.tsv"
VALIDATION_INDEX = "GCC-1.1.0-Validation.tsv"
_SECTION = "datasets.conceptual_captions"


class ConceptualCaptions:
    """The first usable lines of both indices; each URL is fetched once and kept in the cache.

    The release has no public test split. Here, `test` is the part that the TensorFlow tutorial
    tests on, the first lines of the validation index, and `validation` is the lines after those.
    The `image_id` is the name of the index (`training` or `validation`) and the line number, from
    1: `training-0000001`.

    The following are left out and counted: lines that cannot be used, URLs that an index repeats,
    training URLs that the validation index contains too, URLs without a usable image (by reason),
    and images with the same bytes as an earlier one. Most of the latter are a website's notice that
    an image is gone. Of images with the same bytes, the one in the test split is kept, else the one
    in the validation split.
    """

    extras: Sequence[pa.Field] = (pa.field("url", pa.string()),)

    def __init__(self, params: ConceptualCaptionsParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Fetch the images that are not in the cache yet, then yield the examples.

        One block of lines, with its images, is in memory at a time.

        Raises:
            InputError: an index cannot be fetched or has too few lines, an environment variable has
                an invalid value, or more than `max_failed_share` of an index's URLs failed.
        """
        settings = settings_from_environment()
        selection = _Selection(self._params)
        selection.check(rejections)
        for index in selection.indices:
            fetch_missing(
                index.store,
                partial(selection.blocks, index),
                self._params.image_size,
                settings,
                partial(self._check_failures, index),
            )
            self._check_failures(index, index.store.counts(selection.blocks(index)))
        seen_images = FingerprintSet()
        for index in selection.indices:
            for block in selection.blocks(index):
                yield from _block_examples(index, block, seen_images, rejections)

    def _check_failures(self, index: _Index, counts: Mapping[str | None, int]) -> None:
        """Raise `InputError` if too many of an index's URLs have no image."""
        total = sum(counts.values())
        failed = total - counts.get(None, 0)
        if failed <= self._params.max_failed_share * total:
            return
        reasons = Counter({reason: n for reason, n in counts.items() if reason is not None})
        most_common = ", ".join(f"{reason}: {n:,}" for reason, n in reasons.most_common(8))
        raise InputError(
            f"{failed:,} of {total:,} URLs of {index.path.name} have no usable image "
            f"({most_common}), which is more than {_SECTION}.max_failed_share allows "
            f"({self._params.max_failed_share}): check the network and fetch the failed URLs again "
            "with CAPTIONING_RETRY=1, or raise max_failed_share"
        )


@dataclass(frozen=True)
class _Index:
    """An index file and the outcomes of its URLs.

    Attributes:
        name: `training` or `validation`.
        path: path of the index file.
        store: the outcomes of its URLs.
    """

    name: str
    path: Path
    store: OutcomeStore


class _Selection:
    """The lines of the two index files that are used.

    The files may be large, so they are read again for every iteration.
    """

    def __init__(self, params: ConceptualCaptionsParams) -> None:
        self._params = params
        self._validation = self._index(
            "validation", "Validation", VALIDATION_INDEX, params.validation_md5
        )
        self._training = self._index("training", "Train", TRAINING_INDEX, params.training_md5)
        # The validation index comes first: of two equal images, the training image is left out.
        self.indices = (self._validation, self._training)
        self._validation_urls = FingerprintSet()

    def check(self, rejections: Rejections) -> None:
        """Read both files once, to check that they have enough usable lines.

        Args:
            rejections: collects the lines that are skipped.

        Raises:
            InputError: there are too few lines for a split.
        """
        counts: Counter[str] = Counter()
        self._validation_urls = FingerprintSet()
        for index in self.indices:
            for line in self._lines(index, rejections):
                counts[line.split] += 1
        params = self._params
        for split, index, wanted in (
            ("test", self._validation, params.test_images),
            ("validation", self._validation, params.validation_images),
            ("train", self._training, params.train_images),
        ):
            if counts[split] < (wanted or 1):
                raise InputError(
                    f"{index.path} has {counts[split]:,} usable lines for the {split} split, but "
                    f"{wanted or 1:,} are needed: lower the numbers of images in {_SECTION}, or "
                    "check that this is the right file "
                    f"(skipped: {rejections.counts() or 'none'})"
                )

    def blocks(self, index: _Index) -> Iterator[Block]:
        """The blocks of an index that contain selected lines."""
        return in_blocks(self._lines(index, Rejections()))

    def _lines(self, index: _Index, rejections: Rejections) -> Iterator[Line]:
        params = self._params
        if index is self._training:
            yield from read_training_index(
                index.path, params.train_images, self._validation_urls, rejections
            )
            return
        urls = FingerprintSet()
        yield from read_validation_index(
            index.path, params.test_images, params.validation_images, urls, rejections
        )
        self._validation_urls = urls

    def _index(self, name: str, folder: str, file: str, md5: str | None) -> _Index:
        path = fetch(self._params.source, file, md5, folder=folder)
        # Everything that determines the stored bytes of a URL, or which lines form a block.
        key = json.dumps([sha256(path), self._params.image_size, BLOCK_LINES])
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        return _Index(
            name, path, OutcomeStore(cache_folder() / "conceptual_captions" / f"{name}-{digest}")
        )


def _block_examples(
    index: _Index, block: Block, seen_images: FingerprintSet, rejections: Rejections
) -> Iterator[Example]:
    """Yield the examples of one block, in the order of the index."""
    outcomes = index.store.outcomes(block)
    for line in block.lines:
        image_id = f"{index.name}-{line.number:07d}"
        outcome = outcomes.get(line.number, Outcome(NO_OUTCOME))
        if outcome.image is None or outcome.sha256 is None:
            detail = f" ({outcome.detail})" if outcome.detail else ""
            rejections.add(outcome.reason or NO_OUTCOME, f"{image_id} {line.url}{detail}")
        elif not seen_images.add(fingerprint(outcome.sha256)):
            rejections.add("same picture as another URL's", f"{image_id} {line.url}")
        else:
            yield Example(image_id, line.split, outcome.image, (line.caption,), {"url": line.url})
