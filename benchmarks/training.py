"""Training, captions a second: the tutorial's loop and cache, and ours.

Both train the same images and are judged after every epoch on the same validation captions.
The runs that are timed are the training itself.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks import tutorial
from benchmarks.alternate import Work
from benchmarks.counting import DecoderSize
from benchmarks.data import BenchData, examples
from benchmarks.tutorial_input import load_cache, write_cache
from captioning.model import CaptionDecoder
from captioning.params.stages import ModelParams
from captioning.runtime.device import use_device
from captioning.text import PAD
from captioning.training.batches import training_batches
from captioning.training.build import build_decoder, dtype_policy
from captioning.training.examples import feature_shape
from captioning.training.fit import compiled
from captioning.training.losses import token_cross_entropy

RUNS_PER_EPOCH = 2
_WARM_UP = 3


def same_size(params: ModelParams) -> ModelParams:
    """Our architecture with as many layers, units, heads and so on as the tutorial's."""
    sizes = {
        "layers": tutorial.LAYERS,
        "units": tutorial.UNITS,
        "heads": tutorial.HEADS,
        "key_size": tutorial.UNITS,
        "feed_forward_units": 2 * tutorial.UNITS,
    }
    return params.model_copy(update=sizes)


def decoder_size(decoder: CaptionDecoder) -> DecoderSize:
    """What a decoder's arithmetic depends on."""
    arguments = decoder.arguments
    height, width, channels = decoder.feature_shape
    key_size = arguments["key_size"] or arguments["units"] // arguments["heads"]
    return DecoderSize(
        layers=arguments["layers"],
        units=arguments["units"],
        width=arguments["heads"] * key_size,
        feed_forward=arguments["feed_forward_units"],
        vocabulary=arguments["vocabulary_size"],
        cells=height * width,
        channels=channels,
        projected=arguments["image_projection"],
    )


def a_part_a_core(images: int) -> dict[str, int]:
    """Settings of `train` that are the fastest on a CPU, for batches of so many images."""
    return {"threads": 1, "parts": min(os.cpu_count() or 1, images)}


def make_step(model: keras.Model) -> None:
    """Make the train function of a compiled model.

    Were the optimiser's variables created by the first step, it would be traced twice.
    """
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()


class _Training(Work):
    """Steps of `fit`'s compiled train function, with the losses measured between epochs."""

    def __init__(self, data: BenchData, model: Any, batches: tf.data.Dataset, epoch: int) -> None:
        self.model = model
        self.batches = iter(batches)
        self.steps = -(-epoch // RUNS_PER_EPOCH)
        self.data = data
        self.held_out = examples(data, "validation", data.validation_images)
        self.runs = 0
        self.losses: list[float] = []
        make_step(self.model)

    def warm_up(self) -> None:
        """Trace and compile, then forget what these steps learnt."""
        model_weights = self.model.get_weights()
        for _ in range(_WARM_UP):
            self.model.train_function(self.batches)
        self.model.set_weights(model_weights)
        for variable in self.model.optimizer.variables:
            if "learning_rate" not in variable.path:
                variable.assign(tf.zeros_like(variable))

    def advance(self) -> None:
        """Train half an epoch."""
        for _ in range(self.steps):
            logs = self.model.train_function(self.batches)
        float(logs["loss"])
        self.runs += 1

    def judge(self, logits: Callable[[NDArray[Any], NDArray[np.int32]], Any]) -> None:
        """Cross-entropy a token on the validation captions, one batch of captions after another."""
        pairs = [(m, ids) for m, captions in self.held_out for ids in captions]
        total, count = 0.0, 0.0
        for start in range(0, len(pairs), 64):
            part = pairs[start : start + 64]
            ids = np.zeros((len(part), max(len(ids) for _, ids in part)), np.int32)
            for row, (_, caption) in zip(ids, part, strict=True):
                row[: len(caption)] = caption
            features = np.stack([feature_map for feature_map, _ in part])
            losses = token_cross_entropy(ids[:, 1:], logits(features, ids[:, :-1]))
            counts = (ids[:, 1:] != PAD) & (ids[:, 1:] != 1)
            total += float(np.sum(np.asarray(losses) * counts))
            count += float(counts.sum())
        self.losses.append(round(total / count, 4))


class TutorialTraining(_Training):
    """The tutorial's loop; see `alternate.Work`."""

    def __init__(self, data: BenchData) -> None:
        keras.utils.set_random_seed(1)
        folder = data.work / "tutorial-cache"
        features, tokens = data.features(share=True), data.tokens(share=True)
        self.cache_bytes = write_cache(features, tokens, "train", folder)
        model = tutorial.compiled(tutorial.TutorialCaptioner(len(data.bias), data.bias))
        batches = load_cache(folder)
        self.captions = sum(1 for _ in batches.unbatch())
        epoch = -(-self.captions // tutorial.BATCH_CAPTIONS)
        # A model without its layers' weights can't be reset after the warm-up.
        model(next(iter(batches))[0])
        super().__init__(data, model, batches.repeat(), epoch)
        self.warm_up()

    def run(self) -> float:
        """Half an epoch; captions trained."""
        self.advance()
        return self.steps * tutorial.BATCH_CAPTIONS

    def between(self) -> None:
        """Measure the loss where an epoch ends."""
        if self.runs % RUNS_PER_EPOCH == 0:
            self.judge(lambda maps, ids: self.model((maps.astype("float32"), ids), training=False))

    def facts(self) -> dict[str, Any]:
        """`losses` after each epoch, `cache_bytes_per_image`."""
        return {
            "losses": self.losses,
            "cache_bytes_per_image": self.cache_bytes / self.data.train_images,
        }


class OurTraining(_Training):
    """Our loop; see `alternate.Work`.

    Args:
        data: what to train on.
        precision: `float32` or `bfloat16`.
        epochs: of the whole run, which the learning rate follows.
        as_tutorial: whether the decoder is the tutorial's own, raw features and all.
    """

    def __init__(
        self, data: BenchData, precision: str, epochs: int, as_tutorial: bool = False
    ) -> None:
        params = data.params
        use_device(params.train.seed, threads=1)
        captions = [len(ids) for _, ids in examples(data, "train", data.train_images)]
        self.per_image = sum(captions) / len(captions)
        self.images = max(round(tutorial.BATCH_CAPTIONS / self.per_image), 1)
        changes = {"precision": precision, "epochs": epochs, **a_part_a_core(self.images)}
        settings = params.train.model_copy(update=changes)
        features, tokens = data.features(share=True), data.tokens(share=True)
        shape = feature_shape(features)
        if as_tutorial:
            model = tutorial.same_size(len(data.bias), shape, dtype=dtype_policy(precision))
            model.set_output_bias(data.bias)
        else:
            model = build_decoder(same_size(params.model), precision, shape, data.bias)
        epoch = -(-data.train_images // self.images)
        self.decoder = model
        model = compiled(model, settings, epoch, jit_compile=False)
        batches = training_batches(features, tokens, "train", self.images, None, settings.seed)
        super().__init__(data, model, batches, epoch)
        self.warm_up()
        self.flops = self._flops()

    def run(self) -> float:
        """Half an epoch; captions trained."""
        self.advance()
        return self.steps * self.images * self.per_image

    def between(self) -> None:
        """Measure the loss where an epoch ends."""
        if self.runs % RUNS_PER_EPOCH == 0:
            self.judge(
                lambda maps, ids: self.model({"features": maps, "tokens": ids}, training=False)
            )

    def facts(self) -> dict[str, Any]:
        """`losses` after each epoch, `flops_per_caption` needed."""
        return {
            "losses": self.losses,
            "flops_per_caption": self.flops,
            "parameters": self.model.count_params(),
        }

    def _flops(self) -> float:
        captions = [ids for _, rows in examples(self.data, "train", 200) for ids in rows]
        images = len(captions) / self.per_image
        lengths = [len(ids) - 1 for ids in captions]
        return decoder_size(self.decoder).training(round(images), lengths) / len(captions)


class InputAhead(Work):
    """Our train step with real input, or on one batch again and again; see `alternate.Work`.

    Args:
        data: what to train on: the whole train split.
        repeated: whether the input is one batch, already in memory.
        precision: as in `OurTraining`.
        steps: in one run.
    """

    def __init__(self, data: BenchData, repeated: bool, precision: str, steps: int) -> None:
        params = data.params
        settings = params.train
        use_device(settings.seed)
        features, tokens = data.features(), data.tokens()
        model = build_decoder(
            same_size(params.model), precision, feature_shape(features), data.bias
        )
        model = compiled(model, settings, 1000, jit_compile=False)
        batches = training_batches(
            features,
            tokens,
            "train",
            settings.batch_images,
            settings.captions_per_image,
            settings.seed,
        )
        # Both see the same shapes: lengths differ from batch to batch.
        kept = batches.take(1 + steps).cache()
        self.batches = iter(kept.repeat() if repeated else batches)
        self.steps = steps
        self.model = model
        make_step(model)
        for _ in range(steps + 1):
            model.train_function(self.batches)

    def run(self) -> float:
        """Some steps; their number."""
        for _ in itertools.repeat(None, self.steps):
            logs = self.model.train_function(self.batches)
        float(logs["loss"])
        return self.steps

    def facts(self) -> dict[str, Any]:
        """Nothing."""
        return {}
