"""MobileNetV3-Small with ImageNet weights: the feature extractor of the TensorFlow tutorial.

Howard et al. 2019, "Searching for MobileNetV3"; section "Image feature extractor" of the tutorial.

Legend: `B` images, `S` side of an image in pixels.
"""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.core.errors import InputError
from captioning.core.files import sha256

# File name of the weights without the classification head in Keras' cache.
_WEIGHTS = "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"


class MobileNetV3Small:
    """The network without its classification head: 576 channels on a grid of side `S` / 32.

    Args:
        image_size: side `S` of the square input, in pixels.

    Raises:
        InputError: the weights are not in Keras' cache and cannot be downloaded.
    """

    name = "mobilenet_v3_small"

    def __init__(self, image_size: int) -> None:
        self.image_size = image_size
        try:
            self._network = keras.applications.MobileNetV3Small(
                input_shape=(image_size, image_size, 3),
                include_top=False,
                include_preprocessing=True,
                weights="imagenet",
            )
        except Exception as error:  # Keras raises a plain Exception when a download fails.
            raise InputError(
                f"the weights of mobilenet_v3_small could not be downloaded ({error}): "
                f"save {_WEIGHTS} in {_keras_models()}, or set "
                "features.extractor: efficientnet_lite0, whose weights come with its package"
            ) from None
        self.weights_sha256 = sha256(_keras_models() / _WEIGHTS)
        self._network.trainable = False
        _, height, width, channels = self._network.output_shape
        self.output_shape = (height, width, channels)
        self._compiled = tf.function(
            lambda images: self._network(images, training=False),
            input_signature=[tf.TensorSpec((None, image_size, image_size, 3), tf.float32)],
        )

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Feature maps float32 `[B, S/32, S/32, 576]` of RGB images uint8 `[B, S, S, 3]`."""
        return np.asarray(self.feature_maps(tf.constant(images)))

    def feature_maps(self, images: tf.Tensor) -> tf.Tensor:
        """The same for a tensor, as a part of another graph."""
        return self._compiled(tf.cast(images, tf.float32))


def _keras_models() -> Path:
    """Folder in which Keras caches downloaded weights."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"
