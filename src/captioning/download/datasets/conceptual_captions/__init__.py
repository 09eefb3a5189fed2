"""Conceptual Captions: pictures of the web with their cleaned alt texts, as two lists of URLs.

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
    Seen,
    fingerprint,
    in_blocks,
    read_evaluation_index,
    read_training_index,
)
from captioning.download.sources.fetch import cache_folder, fetch
from captioning.download.web.fetching import fetch_missing
from captioning.download.web.outcome_store import NO_OUTCOME, Block, Line, Outcome, OutcomeStore
from captioning.download.web.settings import settings_from_environment
from captioning.params.datasets import ConceptualCaptionsParams

TRAINING_INDEX = "GCC-training.tsv"
VALIDATION_INDEX = "GCC-1.1.0-Validation.tsv"
_SECTION = "datasets.conceptual_captions"


class ConceptualCaptions:
    """The first lines of both indices; each URL fetched once and kept in the cache.

    The release has no test split that is open. Here `test` is what the tutorial tests on, the
    first lines of the validation index, and `validation` the lines after those. An `image_id` is
    `training-` or `validation-` (the index) and the line's number, from 1.

    Rejected and counted: lines that can't be used; URLs that the index repeats; training URLs that
    the validation index has too; URLs without a usable picture, by reason; pictures with the same
    bytes as another's, which mostly are a host's notice that the picture is gone. Of such twins the
    test split keeps one, before validation, before train.
    """

    extras: Sequence[pa.Field] = (pa.field("url", pa.string()),)

    def __init__(self, params: ConceptualCaptionsParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Fetch what the cache lacks, then yield the examples, one block of lines in memory.

        Raises:
            InputError: an index can't be fetched or has too few lines, a setting in the
                environment is impossible, or more than `max_failed_share` of an index's URLs fail.
        """
        settings = settings_from_environment()
        slice_ = _Slice(self._params)
        slice_.check(rejections)
        for index in slice_.indices:
            fetch_missing(
                index.store,
                partial(slice_.blocks, index),
                self._params.image_size,
                settings,
                partial(self._check_failures, index),
            )
            self._check_failures(index, index.store.counts(slice_.blocks(index)))
        pictures = Seen()
        for index in slice_.indices:
            for block in slice_.blocks(index):
                yield from _block_examples(index, block, pictures, rejections)

    def _check_failures(self, index: _Index, counts: Mapping[str | None, int]) -> None:
        """Raise if too many of an index's URLs have no picture."""
        total = sum(counts.values())
        failed = total - counts.get(None, 0)
        if failed <= self._params.max_failed_share * total:
            return
        reasons = Counter({reason: n for reason, n in counts.items() if reason is not None})
        worst = ", ".join(f"{reason}: {n:,}" for reason, n in reasons.most_common(8))
        raise InputError(
            f"{failed:,} of {total:,} URLs of {index.path.name} have no picture ({worst}), more "
            f"than {_SECTION}.max_failed_share ({self._params.max_failed_share}): see to the "
            "network and try those again with CAPTIONING_RETRY=1, or allow for more"
        )


@dataclass(frozen=True)
class _Index:
    """An index file and what became of its URLs."""

    name: str
    path: Path
    store: OutcomeStore


class _Slice:
    """Which lines of the two files are used; they are read anew each time."""

    def __init__(self, params: ConceptualCaptionsParams) -> None:
        self._params = params
        self._validation = self._index(
            "validation", "Validation", VALIDATION_INDEX, params.validation_md5
        )
        self._training = self._index("training", "Train", TRAINING_INDEX, params.training_md5)
        # What is evaluated on comes first: of twins, train is to lose.
        self.indices = (self._validation, self._training)
        self._evaluation_urls = Seen()

    def check(self, rejections: Rejections) -> None:
        """Read both files once; add what is skipped. Raise where lines are too few."""
        counts: Counter[str] = Counter()
        self._evaluation_urls = Seen()
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
                    f"{index.path} has {counts[split]:,} usable lines left for the {split} split, "
                    f"{wanted or 1:,} are wanted ({_SECTION}.{split}_images): lower "
                    "the counts, or see whether it is the right file "
                    f"(skipped: {rejections.counts() or 'none'})"
                )

    def blocks(self, index: _Index) -> Iterator[Block]:
        """The blocks of an index."""
        return in_blocks(self._lines(index, Rejections()))

    def _lines(self, index: _Index, rejections: Rejections) -> Iterator[Line]:
        params = self._params
        if index is self._training:
            yield from read_training_index(
                index.path, params.train_images, self._evaluation_urls, rejections
            )
            return
        seen = Seen()
        yield from read_evaluation_index(
            index.path, params.test_images, params.validation_images, seen, rejections
        )
        self._evaluation_urls = seen

    def _index(self, name: str, folder: str, file: str, md5: str | None) -> _Index:
        path = fetch(self._params.source, file, md5, folder=folder)
        # Whatever has a say in the bytes that are kept of a URL, or in what a block is.
        key = json.dumps([sha256(path), self._params.image_size, BLOCK_LINES])
        mark = hashlib.sha256(key.encode()).hexdigest()[:16]
        return _Index(
            name, path, OutcomeStore(cache_folder() / "conceptual_captions" / f"{name}-{mark}")
        )


def _block_examples(
    index: _Index, block: Block, pictures: Seen, rejections: Rejections
) -> Iterator[Example]:
    """The examples of one block, in the order of the index."""
    known = index.store.outcomes(block)
    for line in block.lines:
        image_id = f"{index.name}-{line.number:07d}"
        outcome = known.get(line.number, Outcome(NO_OUTCOME))
        if outcome.image is None or outcome.sha256 is None:
            rejections.add(outcome.reason or NO_OUTCOME, f"{image_id} {line.url}")
        elif not pictures.add(fingerprint(outcome.sha256)):
            rejections.add("same picture as another URL's", f"{image_id} {line.url}")
        else:
            yield Example(image_id, line.split, outcome.image, (line.caption,), {"url": line.url})
