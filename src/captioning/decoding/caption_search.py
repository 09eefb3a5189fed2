"""Common base of the search methods: the model, the settings, the inputs and the initial state.

Legend: `B` images, `N` captions per image, `T` tokens (`max_length`), `C` feature channels, `V`
vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from captioning.decoding.constraints import Constraints
from captioning.decoding.loop import LoopState, decode, initial_cache_tokens
from captioning.decoding.settings import DecodingSettings
from captioning.model import CaptionDecoder
from captioning.model.decoder import Cache
from captioning.text import PAD, START


class CaptionSearch(keras.Model):
    """Base class of `Sampler` and `BeamSearch`.

    The search is compiled as one graph, on any Keras backend. Whole batches are decoded with the
    key/value cache of the model, and the image side is computed only once. Numbers that do not
    change the graph, such as the temperature, are inputs and may differ between the images of a
    batch.

    Args:
        model: caption decoder.
        settings: how captions are searched for.
        captions: number of captions for each image, `N`.
    """

    def __init__(
        self, model: CaptionDecoder, settings: DecodingSettings, captions: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.settings = settings
        self.captions = captions
        self.constraints = Constraints(settings.minimum_length, settings.no_repeat_ngram)
        # All weights are the model's, which is built.
        self.built = True
        # Without XLA, JAX would execute operation by operation. TensorFlow has its own graph, and
        # compiling that with XLA costs more time than it saves on a CPU.
        self.compile(jit_compile=keras.backend.backend() == "jax")

    def decode(
        self,
        features: NDArray[Any],
        settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
        streams: Sequence[int] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Caption one batch of images; arguments as of `make_inputs`, results as of `call`."""
        found: dict[str, NDArray[Any]] = self.predict_on_batch(
            self.make_inputs(features, settings, streams)
        )
        return found

    def make_inputs(
        self,
        features: NDArray[Any],
        settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
        streams: Sequence[int] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """The inputs of `call` for a batch of images.

        Args:
            features: feature maps `[B, height, width, C]`.
            settings: settings of all images or of each image; None means those of the constructor.
            streams: the stream of random numbers of each image, see `random_numbers`; None means
                its place in the batch.

        Returns:
            `features`, and a float32 array for each number that does not change the graph.

        Raises:
            ValueError: see `settings_of_each`.
        """
        each = self.settings_of_each(len(features), settings)
        values = {name: [getattr(one, name) for one in each] for name in self.numbers}
        # A `top_p` of None leaves no token out, as 1 does.
        rows = {
            name: np.array([1.0 if one is None else one for one in column], np.float32)
            for name, column in values.items()
        }
        return {"features": features, **rows}

    def settings_of_each(
        self, images: int, settings: DecodingSettings | Sequence[DecodingSettings] | None
    ) -> list[DecodingSettings]:
        """The settings of each image, given them as for `make_inputs`.

        Raises:
            ValueError: there are not as many settings as images, or they need another graph.
        """
        given = self.settings if settings is None else settings
        each = [given] * images if isinstance(given, DecodingSettings) else list(given)
        if len(each) != images:
            raise ValueError(f"{len(each)} settings for {images} images")
        for one in {*each} - {self.settings}:
            if one.graph != self.settings.graph:
                raise ValueError(f"{one} needs another search than {self.settings}")
        return each

    @property
    def numbers(self) -> tuple[str, ...]:
        """Settings that are inputs of the graph, one number for each image."""
        raise NotImplementedError

    @property
    def last_position(self) -> int:
        """Position before which the loop ends: the last token is produced but not fed."""
        return int(self.model.max_length) - 1

    def _log_probabilities(self, logits: Any, sequences: Any, position: Any) -> Any:
        """Log-probabilities float32 `[B, N, V]` of the next tokens; `IMPOSSIBLE` if forbidden.

        Args:
            logits: float32 `[B, N, V]`.
            sequences: captions so far, int32 `[B, N, T]`.
            position: position of their last token, an int scalar.
        """
        log_p = ops.log_softmax(logits, axis=-1)
        return self.constraints.apply(log_p, sequences, position)

    def _search(self, features: Any, captions: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Build `captions` captions for each image with the steps of `_step`.

        Args:
            features: feature maps `[B, height, width, C]`.
            captions: number of captions that are built for each image, `N`.
            values: initial values that the steps update or read, each `[B, *]`.

        Returns:
            Sequences int32 `[B, N, T]`, which begin with `START` and are padded, and the values.
        """
        images = ops.shape(features)[0]
        last = self.last_position
        tokens = ops.full((images, captions), START, dtype="int32")
        padding = ((0, 0), (0, 0), (0, last))
        sequences = ops.pad(tokens[:, :, None], padding, constant_values=PAD)
        cache = self.model.empty_cache(images * captions, initial_cache_tokens(last))
        image = self.model.encode_image(features)
        return decode(self._step, image, tokens, (sequences, *values), cache, last)

    def _step(self, image: Cache, state: LoopState) -> LoopState:
        """Add a token to every unfinished caption, see `loop.Step`."""
        raise NotImplementedError


def best_first(ranks: Any, sequences: Any, log_probability: Any, number: int) -> tuple[Any, Any]:
    """The `number` captions of each image with the highest ranks, the best first.

    Args:
        ranks: float32 `[B, N]`.
        sequences: int32 `[B, N, T]`.
        log_probability: float32 `[B, N]`.
        number: at most `N`.

    Returns:
        Sequences int32 `[B, number, T]` and log-probabilities float32 `[B, number]`.
    """
    _, order = ops.top_k(ranks, number)
    return (
        ops.take_along_axis(sequences, order[:, :, None], axis=1),
        ops.take_along_axis(log_probability, order, axis=1),
    )
