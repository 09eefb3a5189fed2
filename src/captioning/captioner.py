"""A trained captioner: decoder, vocabulary and feature extractor, loaded with one call.

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

from captioning.batch_decoding import decode_all
from captioning.decoding import BeamSearch, Sampler
from captioning.errors import InputError
from captioning.extractors import Extractor, make_extractor
from captioning.features import extract
from captioning.files import read_json, write_json
from captioning.model import CaptionDecoder
from captioning.model_archive import save_model
from captioning.text import PAD, Vocabulary, load_vocabulary

_MODEL, _VOCABULARY, _SOURCE = "decoder.keras", "vocabulary.txt", "captioner.json"


@dataclass
class Captioner:
    """What turns pictures into captions.

    Args:
        decoder: the trained Keras model.
        vocabulary: whose ids the decoder speaks.
        source: how the features it was trained on were made: `extractor`, `image_size`,
            `weights_sha256`.
    """

    decoder: CaptionDecoder
    vocabulary: Vocabulary
    source: dict[str, Any]

    def save(self, folder: Path | str) -> None:
        """Write all that `load` needs into `folder`, the same bytes every time."""
        folder = Path(folder)
        save_model(self.decoder, folder / _MODEL)
        self.vocabulary.save(folder)
        write_json(folder / _SOURCE, {**self.source, "vocabulary_sha256": self.vocabulary.sha256})

    @classmethod
    def load(cls, folder: Path | str) -> Captioner:
        """Read what `save` wrote.

        Raises:
            InputError: a file is missing, or the vocabulary doesn't belong to the model.
        """
        folder = Path(folder)
        for name in (_MODEL, _VOCABULARY, _SOURCE):
            if not (folder / name).is_file():
                raise InputError(
                    f"{folder / name} is missing: run `dvc repro train`, or `dvc pull`"
                )
        source = read_json(folder / _SOURCE)
        vocabulary = load_vocabulary(folder)
        if vocabulary.sha256 != source.pop("vocabulary_sha256"):
            raise InputError(
                f"{folder}: {' with '.join(vocabulary.files)} does not belong to the model beside "
                "it: the words of its ids would be wrong; "
                "run `dvc repro train`, or `dvc checkout`"
            )
        decoder = keras.saving.load_model(folder / _MODEL, compile=False)
        return cls(decoder, vocabulary, source)

    @cached_property
    def extractor(self) -> Extractor:
        """The backbone that the features came from.

        Raises:
            InputError: its weights are not the ones that the decoder was trained on.
        """
        extractor = make_extractor(self.source["extractor"], self.source["image_size"])
        if extractor.weights_sha256 != self.source["weights_sha256"]:
            raise InputError(
                f"the weights of {extractor.name} differ from those that the model was trained on "
                f"({extractor.weights_sha256} instead of {self.source['weights_sha256']}): "
                "install the locked dependencies, or train anew"
            )
        return extractor

    def features(self, images: NDArray[Any]) -> NDArray[Any]:
        """Feature maps `[B, height, width, C]` of raw images uint8 `[B, size, size, 3]`.

        What already is a feature map (floating point) passes unchanged.

        Raises:
            InputError: the array is neither.
        """
        if images.dtype == np.uint8:
            return extract(self.extractor, images)
        if images.shape[1:] != self.decoder.feature_shape:
            raise InputError(
                f"feature maps of shape {images.shape[1:]} don't fit a decoder for "
                f"{self.decoder.feature_shape}; raw images are uint8"
            )
        return images

    def token_ids(self, captions: Sequence[str] | NDArray[np.int32]) -> NDArray[np.int32]:
        """Token ids int32 `[B, T]`, padded with 0, of captions as text; ids pass unchanged."""
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
        """Logits float32 `[B, T, V]` of the token after each given one.

        Args:
            images: raw images uint8 or feature maps, see `features`.
            captions: one an image, as text or as token ids int32 `[B, T]`.
        """
        inputs = {"features": self.features(images), "tokens": self.token_ids(captions)}
        return np.asarray(keras.ops.convert_to_numpy(self.decoder(inputs, training=False)))

    def caption(
        self, images: NDArray[Any], decoder: Sampler | BeamSearch, batch_images: int = 64
    ) -> tuple[list[str], NDArray[np.float32], NDArray[np.int32]]:
        """Caption raw images uint8 or feature maps.

        Args:
            images: see `features`.
            decoder: see `decoding.make_decoder`.
            batch_images: images of one batch.

        Returns:
            Captions, their log-probabilities float32 `[B]`, their token ids int32 `[B, T]`.
        """
        out = decode_all(decoder, self.features(images), batch_images)
        captions = [self.vocabulary.decode(row) for row in out["tokens"].tolist()]
        return captions, out["log_probability"], out["tokens"]

    def attention(
        self, images: NDArray[Any], tokens: NDArray[np.int32], batch_images: int = 64
    ) -> NDArray[np.float32]:
        """Where the decoder looks while it says each token.

        The mean over layers and heads, as in the tutorial's "Attention plots".

        Args:
            images: raw images uint8 or feature maps, see `features`.
            tokens: int32 `[B, T]`, from `[START]`.
            batch_images: images in one pass.

        Returns:
            float32 `[B, T-1, height, width]`; map t belongs to token t + 1, sums to 1.
        """
        features = self.features(images)
        height, width, _ = self.decoder.feature_shape
        maps = []
        for start in range(0, len(features), batch_images):
            part = slice(start, start + batch_images)
            inputs = {"features": features[part], "tokens": tokens[part, :-1]}
            _, scores = self.decoder(inputs, training=False, return_scores=True)
            mean = keras.ops.convert_to_numpy(scores).mean(axis=(1, 2))
            maps.append(mean.reshape(*mean.shape[:2], height, width))
        return np.concatenate(maps)
