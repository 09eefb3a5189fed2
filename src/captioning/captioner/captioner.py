"""Captions of images: the search and its results.

Legend: `B` images, `N` captions per image, `T` tokens, `C` feature channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.captioner.caption import Caption
from captioning.captioner.checked import checked_maps
from captioning.captioner.given_images import AnyImage, as_list, is_single
from captioning.captioner.searches import Searches
from captioning.captioner.trained_model import ImagesOrMaps, TrainedModel
from captioning.decoding.batches import attention_maps, batch_size, decode_all
from captioning.decoding.constraints import IMPOSSIBLE
from captioning.decoding.search import BeamSearch, DecodingSettings, Sampler
from captioning.text import PAD

#: Number of images whose pixels and features are in memory together.
_CHUNK_IMAGES = 256


class Captioner(TrainedModel):
    """A trained decoder with its vocabulary and its backbone, which captions images.

    Load one with `Captioner.load("data/model")`, and call it to caption images.
    """

    def __repr__(self) -> str:
        source = self.source
        return (
            f"Captioner({len(self.vocabulary)} tokens, {source['extractor']} at "
            f"{source['image_size']} pixels)"
        )

    def __call__(
        self,
        images: AnyImage | Sequence[AnyImage],
        *,
        n: int = 1,
        attention: bool = True,
        settings: DecodingSettings | None = None,
        streams: Sequence[int] | None = None,
        **changes: Any,
    ) -> Any:
        """Caption one image or several.

        Args:
            images: an image: a path, the bytes of an image file, a Pillow image, or pixels uint8
                `[h, w, 3]` or `[h, w]` of any size. Or several: a list or tuple of images, or
                pixels uint8 `[B, h, w, 3]`.
            n: number of captions for each image.
            attention: whether to compute where the decoder looked for each word.
            settings: how captions are searched for; None means the defaults.
            streams: stream of random numbers of each image, for sampling; None means its place
                among `images`. The same seed and stream give the same caption of an image.
            changes: single settings by name, such as `decoder="sample"`, see `DecodingSettings`.

        Returns:
            A `Caption` of one image; with n > 1, a list of captions, the best first. For several
            images, a list of these.

        Raises:
            InputError: an image cannot be read, or settings are wrong or do not fit together. The
                message says which.
        """
        settings = (settings or DecodingSettings()).with_changes(**changes)
        search = self.search(settings, n)  # Before any image is read.
        given = as_list(images)
        streams = range(len(given)) if streams is None else streams
        found: list[list[Caption]] = []
        for start in range(0, len(given), _CHUNK_IMAGES):
            part = slice(start, start + _CHUNK_IMAGES)
            maps = self.features(given[part])
            found += self._found(search, maps, settings, attention, streams[part])
        results = found if n > 1 else list(chain.from_iterable(found))
        return results[0] if is_single(images) else results

    def search(self, settings: DecodingSettings, n: int = 1) -> Sampler | BeamSearch:
        """The search for captions, made once for each `settings.graph` and `n`.

        Numbers that do not change the graph, such as the temperature, are not kept: give them as
        `settings` with the images, to `CaptionSearch.decode` or `decode_all`.

        Args:
            settings: how captions are searched for.
            n: number of captions for each image.

        Raises:
            InputError: see `decoding.search.make_decoder`.
        """
        return self._searches.get(settings, n)

    def caption_features(
        self,
        features: NDArray[Any],
        settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
        *,
        n: int = 1,
        attention: bool = True,
        streams: Sequence[int] | None = None,
    ) -> list[list[Caption]]:
        """Caption images, given their feature maps.

        Args:
            features: feature maps `[B, height, width, C]`, see `features`.
            settings: settings of all images, or of each image, if all have the same
                `DecodingSettings.graph`. None means the defaults.
            n, attention, streams: see `__call__`.

        Returns:
            The captions of each image, the best first.

        Raises:
            InputError: see `__call__`.
            ValueError: the settings of the images need different graphs.
        """
        settings = settings or DecodingSettings()
        one = settings if isinstance(settings, DecodingSettings) else settings[0]
        maps = checked_maps(features, self.decoder)
        return self._found(self.search(one, n), maps, settings, attention, streams)

    def caption(
        self,
        images: ImagesOrMaps,
        decoder: Sampler | BeamSearch | None = None,
        batch_images: int = 64,
    ) -> tuple[list[str], NDArray[np.float32], NDArray[np.int32]]:
        """Write a caption for each image; call the captioner itself for more than its text.

        Args:
            images: images or feature maps, see `features`.
            decoder: search method, see `decoding.search.make_decoder`; None means beam search.
            batch_images: number of images in a batch.

        Returns:
            Captions, their log-probabilities float32 `[B]`, and their token ids int32 `[B, T]`.

        Raises:
            InputError: see `features`.
        """
        decoder = decoder or self.search(DecodingSettings())
        features = self.features(images)
        if len(features) == 0:
            empty = np.zeros((0, self.decoder.max_length), np.int32)
            return [], np.zeros(0, np.float32), empty
        out = decode_all(decoder, features, batch_images)
        tokens = out["tokens"][:, 0]
        captions = [self.vocabulary.decode(row) for row in tokens.tolist()]
        return captions, out["log_probability"][:, 0], tokens

    @cached_property
    def _searches(self) -> Searches:
        return Searches(self.decoder)

    def _found(
        self,
        search: Sampler | BeamSearch,
        features: NDArray[Any],
        settings: DecodingSettings | Sequence[DecodingSettings],
        attention: bool,
        streams: Sequence[int] | None,
    ) -> list[list[Caption]]:
        """The captions that a search finds for each image, see `caption_features`."""
        if len(features) == 0:
            return []
        found = decode_all(search, features, batch_size(search), settings, streams)
        tokens, totals = found["tokens"], found["log_probability"]
        maps: list[Any] = [None] * search.captions
        if attention:
            longest = max(int((tokens != PAD).sum(axis=2).max()), 2)
            ranks = np.moveaxis(tokens[:, :, :longest], 1, 0)
            maps = [
                attention_maps(self.decoder, features, ids, batch_size(search)) for ids in ranks
            ]
        unfamiliar = self.unfamiliar(features)
        return [
            [
                replace(
                    self._as_caption(tokens[image, rank], totals[image, rank], of_rank, image),
                    unfamiliar=None if unfamiliar is None else bool(unfamiliar[image]),
                )
                for rank, of_rank in enumerate(maps)
                # Those that no rule allows stand for captions that do not exist.
                if rank == 0 or totals[image, rank] > IMPOSSIBLE / 2
            ]
            for image in range(len(features))
        ]

    def _as_caption(
        self, ids: NDArray[np.int32], total: Any, maps: NDArray[np.float32] | None, image: int
    ) -> Caption:
        """A caption of token ids int32 `[T]`, with its maps among `[B, T, height, width]`."""
        words = tuple(piece for piece, _ in self.vocabulary.pieces(ids.tolist()))
        own = None if maps is None else maps[image, : len(words)].copy()
        return Caption(self.vocabulary.decode(ids.tolist()), float(total), words, own)
