"""Caption a stream of pictures: read, decode and extract in threads beside the search.

Only a few batches are in memory at a time, however many pictures there are.

Legend: `B` pictures, `C` feature channels, `N` captions for each picture, `T` tokens.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from captioning.batch.ordered import ordered_map
from captioning.batch.pictures import Picture
from captioning.batch.reading import read
from captioning.batch.rows import Row, rounded
from captioning.captioner import Captioner
from captioning.core.errors import InputError
from captioning.data.images import decode
from captioning.decoding.batches import PARALLEL_BATCHES, batch_size
from captioning.decoding.settings import DecodingSettings
from captioning.extractors.run import batch_images, extract

# How many pictures are in a batch of the search if they are kept in their full size.
_PICTURES_TO_DRAW = 8
# Web servers and object stores answer late, so many are asked at a time.
_THREADS_FOR_URLS = 16


class Prepared(NamedTuple):
    """A picture before the search.

    Attributes:
        picture: the picture.
        features: float32 `[height, width, C]`; None if it cannot be captioned.
        error: why it cannot; empty if it can.
        image: the picture itself, if it was asked for.
    """

    picture: Picture
    features: NDArray[np.float32] | None
    error: str
    image: Image | None


@dataclass(frozen=True)
class Reading:
    """How pictures are read.

    Attributes:
        private_addresses: see `reading.read`.
        any_url: whether URLs may be among them, which take long to answer.
        threads: number of threads that decode and extract; None means one for each core.
        folder: where relative paths are looked up; by default the current folder.
    """

    private_addresses: bool = False
    any_url: bool = False
    threads: int | None = None
    folder: str = ""


class PictureCaptioner:
    """Captions any number of pictures with one model.

    Args:
        captioner: trained captioner.
        settings: how captions are searched for.
        number: captions for each picture, `N`.
        reading: how pictures are read.
        attention: whether rows have `image`, `words` and `attention`.

    Attributes:
        search_pictures: number of pictures in a batch of the search.
        extraction_pictures: number of pictures in a batch of the backbone.

    Raises:
        InputError: the installed backbone is not the one that the model was trained with, or the
            settings do not go with the model or the number of captions.
    """

    def __init__(
        self,
        captioner: Captioner,
        settings: DecodingSettings,
        number: int = 1,
        reading: Reading | None = None,
        attention: bool = False,
    ) -> None:
        self._captioner, self._settings, self._attention = captioner, settings, attention
        self._search = captioner.search(settings, number)
        self._reading = reading or Reading()
        self._size = captioner.extractor.image_size
        self._cores = self._reading.threads or os.cpu_count() or 1
        # More threads may read, but no more decode and compute at a time.
        self._computing = threading.Semaphore(self._cores)
        self.search_pictures = batch_size(self._search)
        if attention:
            self.search_pictures = min(self.search_pictures, _PICTURES_TO_DRAW)
        self.extraction_pictures = batch_images(self._size)

    def rows(self, pictures: Iterable[Picture]) -> Generator[Row, None, None]:
        """Caption pictures; yield a row for each, in their order.

        A batch of the search holds pictures whose indices have the same quotient by
        `search_pictures`. So the captions of a run do not depend on where it is resumed.

        Args:
            pictures: in the order of their indices.
        """
        self._search.make_predict_function()
        batches = ([*group] for _, group in groupby(self._prepared(pictures), self._batch_of))
        # Keras keeps the state outside of the model on JAX, and parallel calls would overwrite it.
        threads = PARALLEL_BATCHES if keras.backend.backend() == "tensorflow" else 1
        found = ordered_map(self._captioned, batches, threads, waiting=threads + 1)
        with closing(found):
            for rows in found:
                yield from rows

    def _batch_of(self, prepared: Prepared) -> int:
        return prepared.picture.index // self.search_pictures

    def _prepared(self, pictures: Iterable[Picture]) -> Iterator[Prepared]:
        """Read, decode and extract pictures in threads; yield them in order."""
        threads = max(self._cores, _THREADS_FOR_URLS if self._reading.any_url else 0)
        source = iter(pictures)
        batches = iter(lambda: list(islice(source, self.extraction_pictures)), [])
        found = ordered_map(self._extracted, batches, threads, waiting=2 * threads)
        with closing(found):
            for prepared in found:
                yield from prepared

    def _extracted(self, pictures: Sequence[Picture]) -> list[Prepared]:
        """Prepare one batch of the backbone."""
        pixels, prepared = [], []
        for picture in pictures:
            error, image = picture.error, None
            try:
                if not error:
                    data = read(picture.path, self._reading.private_addresses, self._reading.folder)
                    with self._computing:
                        image = decode.decode_image(data, picture.path)
                        del data
                        pixels.append(decode.resize(image, self._size))
            except InputError as failure:
                error = str(failure)
            prepared.append(
                Prepared(picture, None, error, image if self._attention and not error else None)
            )
        if not pixels:
            return prepared
        with self._computing:
            features = iter(extract(self._captioner.extractor, np.stack(pixels)))
        return [one if one.error else one._replace(features=next(features)) for one in prepared]

    def _captioned(self, batch: Sequence[Prepared]) -> list[Row]:
        """Caption one batch of the search."""
        good = [one for one in batch if one.features is not None]
        rows: Iterator[Row] = iter(())
        if good:
            features = np.stack([one.features for one in good if one.features is not None])
            # Each picture has random numbers of its own, wherever it is captioned.
            streams = [one.picture.index for one in good]
            found = self._search.decode(features, self._settings, streams)
            rows = self._rows_of(good, features, found)
        return [Row(one.picture, error=one.error) if one.error else next(rows) for one in batch]

    def _rows_of(
        self, batch: Sequence[Prepared], features: NDArray[Any], found: dict[str, NDArray[Any]]
    ) -> Iterator[Row]:
        """The rows of captioned pictures.

        Args:
            batch: the pictures.
            features: their feature maps `[B, height, width, C]`.
            found: `tokens` int32 `[B, N, T]` and `log_probability` float32 `[B, N]`.
        """
        vocabulary, tokens = self._captioner.vocabulary, found["tokens"]
        maps = self._captioner.attention(features, tokens[:, 0]) if self._attention else None
        unfamiliar = self._captioner.unfamiliar(features)
        for place, one in enumerate(batch):
            words: tuple[str, ...] = ()
            if maps is not None:
                words = tuple(piece for piece, _ in vocabulary.pieces(tokens[place, 0].tolist()))
            yield Row(
                one.picture,
                tuple(vocabulary.decode(caption) for caption in tokens[place].tolist()),
                tuple(rounded(value) for value in found["log_probability"][place]),
                image=one.image,
                words=words,
                attention=None if maps is None else maps[place, : len(words)],
                unfamiliar=None if unfamiliar is None else bool(unfamiliar[place]),
            )
