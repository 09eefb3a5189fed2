"""A trained captioner: pictures in, captions out.

Legend: `B` images, `T` tokens, `C` feature channels, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from captioning.model import CaptionDecoder
from captioning.model.bundle import Bundle, load_bundle, save_bundle
from captioning.text import PAD, Vocabulary


@dataclass
class Captioner:
    """Decoder, vocabulary and backbone, ready to caption pictures.

    Args:
        decoder: trained Keras model.
        vocabulary: vocabulary whose ids the decoder uses.
        source: how the training features were made: `extractor`, `image_size`, `weights_sha256`.
    """

    decoder: CaptionDecoder
    vocabulary: Vocabulary
    source: dict[str, Any]

    def save(self, folder: Path | str) -> None:
        """Write everything that `load` needs; see `model.bundle.save_bundle`."""
        save_bundle(folder, Bundle(self.decoder, self.vocabulary, self.source))

    @classmethod
    def load(cls, folder: Path | str) -> Captioner:
        """Read a folder such as `data/model`.

        Raises:
            InputError: a file is missing, or the vocabulary does not belong to the decoder.
        """
        return cls(*load_bundle(folder))

    @cached_property
    def extractor(self) -> Extractor:
        """The backbone that the training features came from, loaded when it is first used.

        Raises:
            InputError: its weights are not the ones that the decoder was trained on.
        """
        extractor = make_extractor(self.source["extractor"], self.source["image_size"])
        if extractor.weights_sha256 != self.source["weights_sha256"]:
            raise InputError(
                f"the weights of {extractor.name} differ from those that the model was trained on "
                f"({extractor.weights_sha256} instead of {self.source['weights_sha256']}): "
                "install the locked dependencies, or train again"
            )
        return extractor

    def features(self, images: NDArray[Any]) -> NDArray[Any]:
        """Feature maps `[B, height, width, C]` of raw images uint8 `[B, size, size, 3]`.

        Feature maps (floating point) are returned unchanged.

        Raises:
            InputError: the array is neither.
        """
        if images.dtype == np.uint8:
            # Imported here: whoever passes feature maps needs no backbone.
            from captioning.extractors.run import extract

            return extract(self.extractor, images)
        if images.shape[1:] != self.decoder.feature_shape:
            raise InputError(
                f"feature maps have shape {images.shape[1:]}, but the decoder expects "
                f"{self.decoder.feature_shape}; raw images must be uint8"
            )
        return images

    def token_ids(self, captions: Sequence[str] | NDArray[np.int32]) -> NDArray[np.int32]:
        """Token ids int32 `[B, T]` of captions as text, padded with 0; ids pass unchanged."""
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
        """Logits float32 `[B, T, V]` of the token that follows each given one.

        Args:
            images: raw images uint8 or feature maps, see `features`.
            captions: one caption for each image, as text or as token ids int32 `[B, T]`.
        """
        inputs = {"features": self.features(images), "tokens": self.token_ids(captions)}
        return np.asarray(keras.ops.convert_to_numpy(self.decoder(inputs, training=False)))

    def caption(
        self, images: NDArray[Any], decoder: Sampler | BeamSearch, batch_images: int = 64
    ) -> tuple[list[str], NDArray[np.float32], NDArray[np.int32]]:
        """Caption raw images uint8 or feature maps.

        Args:
            images: see `features`.
            decoder: see `decoding.search.make_decoder`.
            batch_images: number of images in one batch.

        Returns:
            Captions, their log-probabilities float32 `[B]`, their token ids int32 `[B, T]`.
        """
        out = decode_all(decoder, self.features(images), batch_images)
        captions = [self.vocabulary.decode(row) for row in out["tokens"].tolist()]
        return captions, out["log_probability"], out["tokens"]

    def attention(
        self, images: NDArray[Any], tokens: NDArray[np.int32], batch_images: int = 64
    ) -> NDArray[np.float32]:
        """Where the decoder looks while it produces each token.

        Args:
            images: see `features`.
            tokens: int32 `[B, T]`, from `[START]`.
            batch_images: number of images in one batch.

        Returns:
            float32 `[B, T-1, height, width]`, see `decoding.batches.attention_maps`.
        """
        return attention_maps(self.decoder, self.features(images), tokens, batch_images)
