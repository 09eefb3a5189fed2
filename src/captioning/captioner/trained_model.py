"""A trained decoder with its backbone: features of images, and what the decoder says of captions.

Legend: `B` images, `T` tokens, `C` feature channels, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.captioner.checked import checked_captions, checked_maps, checked_tokens
from captioning.captioner.given_images import AnyImage, as_list, square_pixels
from captioning.core.errors import InputError
from captioning.decoding.batches import attention_maps
from captioning.extractors import Extractor, make_extractor
from captioning.model.bundle import Bundle, load_bundle, save_bundle
from captioning.text import PAD, START

#: Images, see `AnyImage`, or feature maps, floating point `[B, height, width, C]`.
ImagesOrMaps: TypeAlias = "NDArray[Any] | AnyImage | Sequence[AnyImage]"
SelfT = TypeVar("SelfT", bound="TrainedModel")


class TrainedModel(Bundle):
    """A trained decoder with its vocabulary, as in `Bundle`, and with its backbone."""

    def save(self, folder: Path | str) -> None:
        """Write all files that `load` needs; see `model.bundle.save_bundle`."""
        save_bundle(folder, self)

    @classmethod
    def load(cls: type[SelfT], folder: Path | str) -> SelfT:
        """Read a folder such as `data/model`.

        Raises:
            InputError: a file is missing, or the decoder was trained with another vocabulary.
        """
        return cls(*load_bundle(folder))

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

    def features(self, images: ImagesOrMaps) -> NDArray[Any]:
        """Feature maps `[B, height, width, C]` of images; one image is a batch of one.

        Feature maps (floating point) are returned unchanged.

        Raises:
            InputError: an image cannot be read, feature maps have the wrong shape, or the installed
                backbone is not that of training.
        """
        if isinstance(images, np.ndarray) and np.issubdtype(images.dtype, np.floating):
            return checked_maps(images, self.decoder)
        given = as_list(images)
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
        images: ImagesOrMaps,
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
        images: ImagesOrMaps,
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

    def attention(
        self,
        images: ImagesOrMaps,
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

    def distance(self, images: ImagesOrMaps) -> NDArray[np.float32] | None:
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

    def unfamiliar(self, images: ImagesOrMaps) -> NDArray[np.bool_] | None:
        """Whether images are unlike those of training, bool `[B]`; None and `images`: `distance`.

        Captions of unfamiliar images are likely to be wrong.
        """
        distances = self.distance(images)
        return None if distances is None else distances > 1

    def _features_for(self, images: Any, captions: int) -> NDArray[Any]:
        """Features of images, of which there must be as many as captions."""
        features = self.features(images)
        if len(features) != captions:
            raise InputError(f"{len(features)} images, but {captions} captions: give one for each")
        return features
