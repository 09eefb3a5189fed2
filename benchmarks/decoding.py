"""Decoding the test split from feature maps in memory, in images per second.

All sides use the weights of one model with the tutorial's architecture. It is trained for some
hundred steps, so that captions have realistic lengths. In float32, all sides must produce the same
captions.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import tutorial
from benchmarks.alternate import Measured, Work
from benchmarks.data import BenchData, examples
from benchmarks.training import decoder_size, one_part_per_core
from captioning.decoding.batches import decode_all
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.model import CaptionDecoder
from captioning.runtime.device import use_device
from captioning.text import PAD
from captioning.training.batches import training_batches
from captioning.training.build import dtype_policy
from captioning.training.examples import feature_shape
from captioning.training.fit import compiled

_IMAGES, _DROPOUT, _WARM_UP_EPOCHS = 6, 0.1, 0.1
_DECODED = 256


def weights_path(data: BenchData) -> Path:
    """File of the weights that all sides use."""
    return data.work / "decoder.npz"


def new_decoder(data: BenchData, precision: str = "float32") -> CaptionDecoder:
    """This project's decoder in the tutorial's architecture."""
    return tutorial.same_size(
        len(data.bias),
        feature_shape(data.features()),
        dropout=_DROPOUT,
        max_length=data.params.model.max_length,
        dtype=dtype_policy(precision),
    )


def load_decoder(data: BenchData, precision: str = "float32") -> CaptionDecoder:
    """The same decoder with the weights that all sides use."""
    decoder = new_decoder(data, precision)
    with np.load(weights_path(data)) as weights:
        decoder.set_weights([weights[f"arr_{index}"] for index in range(len(weights))])
    return decoder


class Train(Work):
    """Trains the decoder whose weights all sides use.

    Args:
        data: training data.
        steps: number of train steps, each on six images with all their captions.
    """

    def __init__(self, data: BenchData, steps: int) -> None:
        self.data, self.steps = data, steps
        changes = {"epochs": 1, "warmup_epochs": _WARM_UP_EPOCHS, **one_part_per_core(_IMAGES)}
        self.settings = data.params.train.model_copy(update=changes)
        use_device(self.settings.seed, self.settings.threads)

    def run(self) -> float:
        """Train and save the weights; return the number of steps."""
        features, tokens = self.data.features(), self.data.tokens()
        model = new_decoder(self.data, "bfloat16")
        model.set_output_bias(self.data.bias)
        trained = compiled(model, self.settings, steps_per_epoch=self.steps, jit_compile=False)
        batches = training_batches(features, tokens, "train", _IMAGES, None, self.settings.seed)
        trained.fit(batches, steps_per_epoch=self.steps, shuffle=False, verbose=0)
        np.savez(weights_path(self.data), *model.get_weights())
        return self.steps


class SimpleGen(Work):
    """The tutorial's side: `simple_gen`, one image after another.

    Args:
        data: data whose test split is captioned.
        images: number of images captioned in one run.
    """

    def __init__(self, data: BenchData, images: int) -> None:
        self.images = images
        self.maps = [feature_map for feature_map, _ in examples(data, "test", images)]
        ours = load_decoder(data)
        self.model = tutorial.TutorialCaptioner(
            len(data.bias), data.bias, max_length=ours.max_length, epsilon=1e-6
        )
        self.model((self.maps[0][None].astype("float32"), np.array([[2]])))
        tutorial.copy_weights(ours, self.model)
        self.captions: list[list[int]] = []

    def run(self) -> float:
        """Caption the images; return their number."""
        self.captions = [self.model.simple_gen(feature_map) for feature_map in self.maps]
        return self.images

    def facts(self) -> dict[str, Any]:
        """`captions`: token ids of the captions."""
        return {"captions": self.captions}


def scaled_to_all_captions(
    measured: Measured, captions: list[list[int]], all_captions: list[list[int]]
) -> Measured:
    """Convert rates measured on a few images to all images.

    Time is proportional to the number of tokens produced, and captions of all images may be longer
    or shorter on average.

    Args:
        measured: results on the few images.
        captions: token ids of their captions.
        all_captions: token ids of the same decoder's captions of all images.
    """
    few, many = (np.mean([len(caption) - 1 for caption in c]) for c in (captions, all_captions))
    factor = float(few / many)
    return dataclasses.replace(
        measured,
        rates=[rate * factor for rate in measured.rates],
        processor_rates=[rate * factor for rate in measured.processor_rates],
    )


class Ours(Work):
    """This project's side: the split decoded as in `evaluate`, in batches of 256 images.

    Args:
        data: data whose test split is captioned.
        decoder: `greedy` or `beam`.
        precision: `float32` or `bfloat16`.
        images: largest number of images; None means the whole split.
    """

    def __init__(
        self,
        data: BenchData,
        decoder: str,
        precision: str,
        images: int | None = None,
    ) -> None:
        use_device(data.params.evaluate.seed)
        features = data.features()
        count = min(images or features.count("test"), features.count("test"))
        self.maps = np.stack([feature_map for feature_map, _ in examples(data, "test", count)])
        self.model = load_decoder(data, precision)
        self.decoder = make_decoder(self.model, DecodingSettings(decoder))
        self.tokens = self._decode()

    def run(self) -> float:
        """Caption the split; return the number of images."""
        self.tokens = self._decode()
        return len(self.maps)

    def facts(self) -> dict[str, Any]:
        """Captions and operations.

        `captions`: token ids of all captions; `flops_per_image`: operations that one beam needs.
        """
        captions = [[t for t in row if t != PAD] for row in self.tokens.tolist()]
        lengths = [len(caption) - 1 for caption in captions]
        flops = decoder_size(self.model).forward(len(captions), lengths) / len(captions)
        return {"captions": captions, "flops_per_image": flops}

    def _decode(self) -> Any:
        return decode_all(self.decoder, self.maps, _DECODED)["tokens"][:, 0]
