"""A trained decoder with its backbone: images in, captions out.

Legend: `B` images, `N` captions per image, `T` tokens, `C` feature channels, `V` vocabulary, `S`
side of a resized image in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.captioner.caption import Caption
from captioning.captioner.checked import checked_captions, checked_maps, checked_tokens
from captioning.captioner.given_images import AnyImage, is_single, square_pixels
from captioning.captioner.searches import Searches
from captioning.core.errors import InputError
from captioning.decoding.batches import attention_maps, batch_size, decode_all
from captioning.decoding.constraints import IMPOSSIBLE
from captioning.decoding.search import BeamSearch, DecodingSettings, Sampler
from captioning.extractors import Extractor, make_extractor
from captioning.model.bundle import Bundle, load_bundle, save_bundle
from captioning.text import PAD, START

#: Number of images whose pixels and features are in memory together.
_CHUNK_IMAGES = 256


class Captioner(Bundle):
    """A trained decoder with its vocabulary, as in `Bundle`, and with its backbone.

    Load one with `Captioner.load("data/model")`, and call it to caption images.
    """

    def save(self, folder: Path | str) -> None:
        """Write all files that `load` needs; see `model.bundle.save_bundle`."""
        save_bundle(folder, self)

    @classmethod
    def load(cls, folder: Path | str) -> Captioner:
        """Read a folder such as `data/model`.

        Raises:
            InputError: a file is missing, or the decoder was trained with another vocabulary.
        """
        return cls(*load_bundle(folder))

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
        single = is_single(images)
        given: Sequence[AnyImage] = [images] if single else images  # type: ignore
        streams = range(len(given)) if streams is None else streams
        found: list[list[Caption]] = []
        for start in range(0, len(given), _CHUNK_IMAGES):
            part = slice(start, start + _CHUNK_IMAGES)
            maps = self.features(given[part])
            found += self._found(search, maps, settings, attention, streams[part])
        results = found if n > 1 else list(chain.from_iterable(found))
        return results[0] if single else results

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

    def features(self, images: NDArray[Any] | AnyImage | Sequence[AnyImage]) -> NDArray[Any]:
        """Feature maps `[B, height, width, C]` of images; one image is a batch of one.

        Feature maps (floating point) are returned unchanged.

        Raises:
            InputError: an image cannot be read, feature maps have the wrong shape, or the installed
                backbone is not that of training.
        """
        if isinstance(images, np.ndarray) and np.issubdtype(images.dtype, np.floating):
            return checked_maps(images, self.decoder)
        given: Sequence[AnyImage] = [images] if is_single(images) else images  # type: ignore
        if len(given) == 0:
            return np.zeros((0, *self.decoder.feature_shape), np.float32)
        pixels = square_pixels(given, self.source["image_size"])
        # Imported here, because callers that pass feature maps need no backbone.
        from captioning.extractors.run import extract

        return extract(self.extractor, pixels)

    def token_ids(self, captions: Sequence[str] | NDArray[np.int32]) -> NDArray[np.int32]:
        """Token ids int32 `[B, T]` of captions, padded with 0; token ids are returned unchanged.

        Raises:
            InputError: a caption is longer than the decoder can read, or an id is none of the
                vocabulary's.
        """
        if isinstance(captions, np.ndarray):
            return checked_tokens(captions, self.decoder)
        rows = [self.vocabulary.encode(text) for text in checked_captions(captions)]
        for number, row in enumerate(rows, start=1):
            if len(row) > self.decoder.max_length:
                raise InputError(
                    f"caption {number} has {len(row)} tokens, with [START] and [END], but the "
                    f"decoder reads at most {self.decoder.max_length}"
                )
        ids = np.full((len(rows), max(map(len, rows), default=0)), PAD, np.int32)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
        return ids

    def logits(
        self,
        images: NDArray[Any] | AnyImage | Sequence[AnyImage],
        captions: Sequence[str] | NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Logits float32 `[B, T, V]` of the token that follows each given token.

        Args:
            images: images or feature maps, see `features`.
            captions: one caption per image, as text or as token ids int32 `[B, T]`.

        Raises:
            InputError: see `features` and `token_ids`; or there are not as many captions as images.
        """
        tokens = self.token_ids(captions)
        features = self._features_for(images, len(tokens))
        logits = self.decoder({"features": features, "tokens": tokens}, training=False)
        return np.asarray(keras.ops.convert_to_numpy(logits))

    def log_probabilities(
        self,
        images: NDArray[Any] | AnyImage | Sequence[AnyImage],
        captions: Sequence[str] | NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Log-probabilities float32 `[B]` of given captions, as `Caption.log_probability`.

        An unknown word is `[UNK]`, which the decoder never says; its log-probability is about -1e9.

        Args:
            images, captions: see `logits`; token ids begin with `[START]`.

        Raises:
            InputError: see `logits`.
        """
        tokens = self.token_ids(captions)
        log_p = keras.ops.log_softmax(self.logits(images, tokens[:, :-1]), axis=-1)
        targets = tokens[:, 1:, None]
        each = np.take_along_axis(keras.ops.convert_to_numpy(log_p), targets, axis=-1)
        total: NDArray[np.float32] = np.where(targets == PAD, 0, each).sum(axis=(1, 2))
        return total

    def caption(
        self,
        images: NDArray[Any] | AnyImage | Sequence[AnyImage],
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

    def attention(
        self,
        images: NDArray[Any] | AnyImage | Sequence[AnyImage],
        tokens: Sequence[str] | NDArray[np.int32],
        batch_images: int = 64,
    ) -> NDArray[np.float32]:
        """Compute where in the image the decoder attends for each token.

        Args:
            images: images or feature maps, see `features`.
            tokens: captions, as text or as token ids int32 `[B, T]`, which begin with `[START]`.
            batch_images: number of images in a batch.

        Returns:
            Maps float32 `[B, T-1, height, width]`, see `decoding.batches.attention_maps`.

        Raises:
            InputError: see `logits`; or token ids do not begin with `[START]`.
        """
        ids = self.token_ids(tokens)
        if not (ids[:, :1] == START).all() or ids.shape[1] < 2:
            raise InputError("captions as token ids must begin with [START] and go on")
        return attention_maps(self.decoder, self._features_for(images, len(ids)), ids, batch_images)

    def distance(
        self, images: NDArray[Any] | AnyImage | Sequence[AnyImage]
    ) -> NDArray[np.float32] | None:
        """Distances float32 `[B]` of images from those of training; above 1, one is unfamiliar.

        Args:
            images: images or feature maps, see `features`.

        Returns:
            See `model.familiarity.Familiarity.distance`. None if the model does not know: it is
            older than this, or its validation split was too small.

        Raises:
            InputError: see `features`.
        """
        if self.familiarity is None:
            return None
        return self.familiarity.distance(self.features(images))

    def unfamiliar(
        self, images: NDArray[Any] | AnyImage | Sequence[AnyImage]
    ) -> NDArray[np.bool_] | None:
        """Whether images are unlike those of training, bool `[B]`; None and `images`: `distance`.

        Captions of unfamiliar images are likely to be wrong.
        """
        distances = self.distance(images)
        return None if distances is None else distances > 1

    @cached_property
    def extractor(self) -> Extractor:
        """The backbone that computed the training features, loaded on first use.

        Raises:
            InputError: the installed weights differ from those used in training.
        """
        extractor = make_extractor(self.source["extractor"], self.source["image_size"])
        if extractor.weights_sha256 != self.source["weights_sha256"]:
            raise InputError(
                f"the installed weights of {extractor.name} differ from those used in training "
                f"({extractor.weights_sha256} instead of {self.source['weights_sha256']}): "
                "install the locked dependencies, or train again"
            )
        return extractor

    @cached_property
    def _searches(self) -> Searches:
        return Searches(self.decoder)

    def _features_for(self, images: Any, captions: int) -> NDArray[Any]:
        """Features of images, of which there must be as many as captions."""
        features = self.features(images)
        if len(features) != captions:
            raise InputError(f"{len(features)} images, but {captions} captions: give one for each")
        return features

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
