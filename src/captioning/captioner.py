"""A trained captioner, which writes captions for images.

Legend: `B` images, `T` tokens, `C` feature channels, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from captioning.core.errors import InputError
from captioning.decoding.batches import attention_maps, decode_all
from captioning.decoding.search import BeamSearch, Sampler
from captioning.extractors import Extractor, make_extractor
from captioning.model.bundle import Bundle, load_bundle, save_bundle
from captioning.text import PAD


class Captioner(Bundle):
    """A trained decoder with its vocabulary, as in `Bundle`, and with its backbone."""

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

    def features(self, images: NDArray[Any]) -> NDArray[Any]:
        """Feature maps `[B, height, width, C]` of raw images uint8 `[B, size, size, 3]`.

        Feature maps (floating point) are returned unchanged.

        Raises:
            InputError: the array contains neither images nor feature maps of the right shape.
        """
        if images.dtype == np.uint8:
            # Imported here, because callers that pass feature maps need no backbone.
            from captioning.extractors.run import extract

            return extract(self.extractor, images)
        if images.shape[1:] != self.decoder.feature_shape:
            raise InputError(
                f"feature maps have shape {images.shape[1:]}, but the decoder expects "
                f"{self.decoder.feature_shape}: pass such maps, or raw images as uint8"
            )
        return images

    def token_ids(self, captions: Sequence[str] | NDArray[np.int32]) -> NDArray[np.int32]:
        """Token ids int32 `[B, T]` of captions, padded with 0; token ids are returned unchanged."""
        if isinstance(captions, np.ndarray):
            return captions.astype(np.int32)
        rows = [self.vocabulary.encode(text, self.decoder.max_length) for text in captions]
        ids = np.full((len(rows), max(map(len, rows))), PAD, np.int32)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
        return ids

    def logits(
        self, images: NDArray[Any], captions: Sequence[str] | NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Logits float32 `[B, T, V]` of the token that follows each given token.

        Args:
            images: raw images uint8 or feature maps, see `features`.
            captions: one caption per image, as text or as token ids int32 `[B, T]`.
        """
        inputs = {"features": self.features(images), "tokens": self.token_ids(captions)}
        return np.asarray(keras.ops.convert_to_numpy(self.decoder(inputs, training=False)))

    def caption(
        self, images: NDArray[Any], decoder: Sampler | BeamSearch, batch_images: int = 64
    ) -> tuple[list[str], NDArray[np.float32], NDArray[np.int32]]:
        """Write a caption for each image.

        Args:
            images: raw images uint8 or feature maps, see `features`.
            decoder: search method, see `decoding.search.make_decoder`.
            batch_images: number of images in a batch.

        Returns:
            Captions, their log-probabilities float32 `[B]`, and their token ids int32 `[B, T]`.
        """
        out = decode_all(decoder, self.features(images), batch_images)
        tokens = out["tokens"][:, 0]
        captions = [self.vocabulary.decode(row) for row in tokens.tolist()]
        return captions, out["log_probability"][:, 0], tokens

    def attention(
        self, images: NDArray[Any], tokens: NDArray[np.int32], batch_images: int = 64
    ) -> NDArray[np.float32]:
        """Compute where in the image the decoder attends for each token.

        Args:
            images: raw images uint8 or feature maps, see `features`.
            tokens: captions int32 `[B, T]`, which begin with `[START]`.
            batch_images: number of images in a batch.

        Returns:
            Maps float32 `[B, T-1, height, width]`, see `decoding.batches.attention_maps`.
        """
        return attention_maps(self.decoder, self.features(images), tokens, batch_images)
