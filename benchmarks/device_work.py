"""The work that `benchmarks.gpu` times: a matrix product, a train step, a batch of captions.

It uses Keras on JAX and no TensorFlow.

Legend: `B` images, `N` captions of an image, `T` tokens of a caption, `V` vocabulary size.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.counting import DecoderSize
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.model import CaptionDecoder
from captioning.params.stages import Params
from captioning.text import BANNED, END, START
from captioning.training.build import build_decoder
from captioning.training.losses import MaskedCrossEntropy
from captioning.training.optimizer import training_optimizer

_VOCABULARY, _FEATURES, _BEAMS = 5000, (7, 7, 1280), 3
_HEAD_WIDTH = 64
# For the learning-rate schedule; it does not influence the time.
_STEPS_PER_EPOCH = 1000
_CHUNKS = 3


@dataclass(frozen=True)
class Setting:
    """One kind of work at one size.

    Args:
        work: `training`, `greedy` or `beam`.
        precision: `float32`, or `bfloat16` for float32 weights and bfloat16 arithmetic.
        layers: number of decoder layers.
        units: width of the decoder; its heads are 64 wide, and its feed-forward block is four times
            as wide.
        images: number of images `B`.
        captions: number of captions of an image `N`, in training.
        length: tokens of a caption `T`, including `[START]` and `[END]`.
    """

    work: str
    precision: str
    layers: int
    units: int
    images: int
    captions: int
    length: int

    def as_json(self) -> dict[str, Any]:
        """The arguments by name."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """The arguments as text."""
        return tuple(map(str, astuple(self)))

    def decoder(self, params: Params) -> CaptionDecoder:
        """A decoder of this size, otherwise as `params` say, that never produces `[END]`."""
        sizes = {
            "layers": self.layers,
            "units": self.units,
            "heads": max(self.units // _HEAD_WIDTH, 1),
            "key_size": None,
            "feed_forward_units": 4 * self.units,
            "max_length": self.length,
        }
        bias = np.zeros(_VOCABULARY, np.float32)
        # All captions have full length, so that the time does not depend on the weights.
        bias[[*BANNED, END]] = -1e9
        model = params.model.model_copy(update=sizes)
        return build_decoder(model, self.precision, _FEATURES, bias)

    def size(self, decoder: CaptionDecoder) -> DecoderSize:
        """The sizes that determine the number of its operations."""
        attention = decoder.decoder_layers[0].self_attention
        return DecoderSize(
            layers=self.layers,
            units=self.units,
            width=attention.heads * attention.key_size,
            feed_forward=4 * self.units,
            vocabulary=_VOCABULARY,
            cells=_FEATURES[0] * _FEATURES[1],
            channels=_FEATURES[2],
            projected=decoder.image_encoder.project,
        )

    def features(self) -> Any:
        """Synthetic feature maps float16 `[B, height, width, channels]`, on the device."""
        random = np.random.default_rng(0)
        return jnp.asarray(random.random((self.images, *_FEATURES), np.float32), jnp.float16)


def _values(*groups: Any) -> tuple[list[Any], ...]:
    """The arrays of each group of variables, as Keras' stateless calls take them."""
    return tuple([variable.value for variable in variables] for variables in groups)


class Training:
    """One train step, with loss and optimizer as in the pipeline.

    Args:
        setting: size of the work.
        params: all other settings.

    Attributes:
        parameters: number of the decoder's parameters.
        captions: number of captions in a step.
        flops: operations that a step needs.
    """

    def __init__(self, setting: Setting, params: Params) -> None:
        model = setting.decoder(params)
        train = params.train
        optimizer = training_optimizer(train, _STEPS_PER_EPOCH)
        model.compile(optimizer=optimizer, loss=MaskedCrossEntropy(train.label_smoothing))
        model.optimizer.build(model.trainable_variables)
        ids = np.random.default_rng(0).integers(
            END + 1, _VOCABULARY, (setting.images, setting.captions, setting.length), np.int32
        )
        ids[:, :, 0], ids[:, :, -1] = START, END
        inputs, targets = (
            jnp.asarray(part.reshape(setting.images, -1)) for part in (ids[..., :-1], ids[..., 1:])
        )
        self._batch = ({"features": setting.features(), "tokens": inputs}, targets)
        self._step = jax.jit(model.train_step, donate_argnums=0)
        self._state = _values(
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        self.parameters = model.count_params()
        self.captions = setting.images * setting.captions
        lengths = [setting.length - 1] * self.captions
        self.flops = setting.size(model).training(setting.images, lengths)

    def __call__(self) -> Any:
        """Take one step; return its metrics."""
        logs, self._state = self._step(self._state, self._batch)
        return logs


class Decoding:
    """A batch captioned greedily or by beam search of width 3.

    Args:
        setting: size of the work.
        params: all other settings.

    Attributes:
        parameters: number of the decoder's parameters.
        captions: number of captions in a batch.
        flops: operations that a batch needs.
    """

    def __init__(self, setting: Setting, params: Params) -> None:
        model = setting.decoder(params)
        decoder = make_decoder(model, DecodingSettings(setting.work, beam_width=_BEAMS))
        self._variables = _values(decoder.trainable_variables, decoder.non_trainable_variables)
        self._inputs = decoder.make_inputs(setting.features())
        self._run = jax.jit(lambda variables, maps: decoder.stateless_call(*variables, maps)[0])
        self.parameters = model.count_params()
        self.captions = setting.images
        rows = setting.images * (_BEAMS if setting.work == "beam" else 1)
        self.flops = setting.size(model).forward(setting.images, [setting.length - 1] * rows)

    def __call__(self) -> Any:
        """Caption one batch; return tokens and log-probabilities."""
        return self._run(self._variables, self._inputs)


def seconds_per_call(call: Callable[[], Any], seconds: float) -> float:
    """Seconds of one call on the device: the median of a few runs of many calls each.

    Args:
        call: function to time; it is compiled by its first calls, and its results are awaited.
        seconds: approximate duration of all runs together.
    """
    for _ in range(2):
        jax.block_until_ready(call())
    start = time.perf_counter()
    jax.block_until_ready(call())
    number = max(1, round(seconds / _CHUNKS / (time.perf_counter() - start)))
    runs = []
    for _ in range(_CHUNKS):
        start = time.perf_counter()
        for _ in range(number):
            result = call()
        jax.block_until_ready(result)
        runs.append((time.perf_counter() - start) / number)
    return statistics.median(runs)


def matmul_rate(precision: str, side: int, seconds: float) -> float:
    """Operations per second of a product of two large matrices, with which work is compared.

    In float32 it has JAX's default precision, as the model does; on a GPU that may be TF32.

    Args:
        precision: dtype of the matrices.
        side: number of rows and columns of each.
        seconds: see `seconds_per_call`.
    """
    keys = jax.random.split(jax.random.key(0))
    left, right = (jax.random.normal(key, (side, side), jnp.dtype(precision)) for key in keys)
    product = jax.jit(jnp.matmul)
    return 2 * side**3 / seconds_per_call(lambda: product(left, right), seconds)
