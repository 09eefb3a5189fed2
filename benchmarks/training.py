"""Training, in captions per second: the tutorial's loop and cache compared with this project's.

Both train on the same images, and after every epoch the loss of both is measured on the same
validation captions. Only the training itself is timed.
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
    """This project's architecture with the tutorial's numbers of layers, units and heads."""
    sizes = {
        "layers": tutorial.LAYERS,
        "units": tutorial.UNITS,
        "heads": tutorial.HEADS,
        "key_size": tutorial.UNITS,
        "feed_forward_units": 2 * tutorial.UNITS,
    }
    return params.model_copy(update=sizes)


def decoder_size(decoder: CaptionDecoder) -> DecoderSize:
    """The sizes that determine the number of a decoder's operations."""
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


def one_part_per_core(images: int) -> dict[str, int]:
    """The fastest `train` settings on a CPU: one part of the batch of `images` on each core."""
    return {"threads": 1, "parts": min(os.cpu_count() or 1, images)}


def make_train_function(model: keras.Model) -> None:
    """Make the train function of a compiled model.

    The optimizer's variables are created first; otherwise the function would be traced twice.
    """
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()


class _Training(Work):
    """Steps of the train function that `fit` uses; the loss is measured between epochs."""

    def __init__(self, data: BenchData, model: Any, batches: tf.data.Dataset, epoch: int) -> None:
        self.model = model
        self.batches = iter(batches)
        self.steps = -(-epoch // RUNS_PER_EPOCH)
        self.data = data
        self.held_out = examples(data, "validation", data.validation_images)
        self.runs = 0
        self.losses: list[float] = []
        make_train_function(self.model)

    def warm_up(self) -> None:
        """Trace and compile, then undo these steps."""
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

    def measure_loss(self, logits: Callable[[NDArray[Any], NDArray[np.int32]], Any]) -> None:
        """Append the cross-entropy per token of the validation captions to `losses`.

        Args:
            logits: maps features and token ids to logits.
        """
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
    """The tutorial's side; see `alternate.Work`."""

    def __init__(self, data: BenchData) -> None:
        keras.utils.set_random_seed(1)
        folder = data.work / "tutorial-cache"
        features, tokens = data.features(share=True), data.tokens(share=True)
        self.cache_bytes = write_cache(features, tokens, "train", folder)
        model = tutorial.compiled(tutorial.TutorialCaptioner(len(data.bias), data.bias))
        batches = load_cache(folder)
        self.captions = sum(1 for _ in batches.unbatch())
        epoch = -(-self.captions // tutorial.BATCH_CAPTIONS)
        # Builds the weights, without which the warm-up could not be undone.
        model(next(iter(batches))[0])
        super().__init__(data, model, batches.repeat(), epoch)
        self.warm_up()

    def run(self) -> float:
        """Train for half an epoch; return the number of captions."""
        self.advance()
        return self.steps * tutorial.BATCH_CAPTIONS

    def between(self) -> None:
        """Measure the loss at the end of an epoch."""
        if self.runs % RUNS_PER_EPOCH == 0:
            self.measure_loss(
                lambda maps, ids: self.model((maps.astype("float32"), ids), training=False)
            )

    def facts(self) -> dict[str, Any]:
        """`losses` after each epoch and `cache_bytes_per_image`."""
        return {
            "losses": self.losses,
            "cache_bytes_per_image": self.cache_bytes / self.data.train_images,
        }


class OurTraining(_Training):
    """This project's side; see `alternate.Work`.

    Args:
        data: training data.
        precision: `float32` or `bfloat16`.
        epochs: number of epochs of the whole run, for the learning-rate schedule.
        as_tutorial: whether to use the tutorial's architecture, which attends to raw features.
    """

    def __init__(
        self, data: BenchData, precision: str, epochs: int, as_tutorial: bool = False
    ) -> None:
        params = data.params
        use_device(params.train.seed, threads=1)
        captions = [len(ids) for _, ids in examples(data, "train", data.train_images)]
        self.per_image = sum(captions) / len(captions)
        self.images = max(round(tutorial.BATCH_CAPTIONS / self.per_image), 1)
        changes = {"precision": precision, "epochs": epochs, **one_part_per_core(self.images)}
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
        model = compiled(model, settings, steps_per_epoch=epoch, jit_compile=False)
        batches = training_batches(features, tokens, "train", self.images, None, settings.seed)
        super().__init__(data, model, batches, epoch)
        self.warm_up()
        self.flops = self._flops()

    def run(self) -> float:
        """Train for half an epoch; return the number of captions."""
        self.advance()
        return self.steps * self.images * self.per_image

    def between(self) -> None:
        """Measure the loss at the end of an epoch."""
        if self.runs % RUNS_PER_EPOCH == 0:
            self.measure_loss(
                lambda maps, ids: self.model({"features": maps, "tokens": ids}, training=False)
            )

    def facts(self) -> dict[str, Any]:
        """`losses` after each epoch, `flops_per_caption` and the number of `parameters`."""
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


class TrainSteps(Work):
    """Train steps on real input or on batches in memory; see `alternate.Work`.

    Args:
        data: training data, of which the whole train split is used.
        repeated: whether to repeat the same few batches, held in memory.
        precision: `float32` or `bfloat16`.
        steps: number of steps in one run.
    """

    def __init__(self, data: BenchData, repeated: bool, precision: str, steps: int) -> None:
        params = data.params
        settings = params.train
        use_device(settings.seed)
        features, tokens = data.features(), data.tokens()
        model = build_decoder(
            same_size(params.model), precision, feature_shape(features), data.bias
        )
        model = compiled(model, settings, steps_per_epoch=1000, jit_compile=False)
        batches = training_batches(
            features,
            tokens,
            "train",
            settings.batch_images,
            settings.captions_per_image,
            settings.seed,
        )
        # Both sides see the same shapes: the lengths of captions differ between batches.
        kept = batches.take(1 + steps).cache()
        self.batches = iter(kept.repeat() if repeated else batches)
        self.steps = steps
        self.model = model
        make_train_function(model)
        for _ in range(steps + 1):
            model.train_function(self.batches)

    def run(self) -> float:
        """Take the steps; return their number."""
        for _ in itertools.repeat(None, self.steps):
            logs = self.model.train_function(self.batches)
        float(logs["loss"])
        return self.steps

    def facts(self) -> dict[str, Any]:
        """Nothing."""
        return {}
