"""The reference extraction: decoding in `tf.data`, then the stock network in float32.

The network has the same weights as this project's, but its batch normalizations are separate
layers. It is called as `model(x)` under `tf.function`, and its weights are variables.

Legend: `B` images, `C` channels.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from captioning.extractors.efficientnet_lite0 import STAGES, weights_path
from captioning.extractors.torch_checkpoint import read_checkpoint

_BATCH, _EPSILON = 32, 1e-3


def lite0(image_size: int) -> keras.Model:
    """EfficientNet-Lite0 of Keras layers: RGB `[B, size, size, 3]` in 0..255 to `[B, *, *, C]`."""
    weights = read_checkpoint(weights_path())

    def normalized(x: Any, prefix: str, activate: bool = True) -> Any:
        names = ("weight", "bias", "running_mean", "running_var")
        layer = keras.layers.BatchNormalization(epsilon=_EPSILON)
        x = layer(x, training=False)
        layer.set_weights([weights[f"{prefix}.{name}"] for name in names])
        return keras.layers.ReLU(6)(x) if activate else x

    def convolved(x: Any, name: str, stride: int = 1) -> Any:
        kernel = weights[f"{name}.weight"].transpose(2, 3, 1, 0)
        layer = keras.layers.Conv2D(
            kernel.shape[3], kernel.shape[0], stride, "same", use_bias=False
        )
        x = layer(x)
        layer.set_weights([kernel])
        return x

    def depthwise(x: Any, name: str, stride: int) -> Any:
        kernel = weights[f"{name}.weight"].transpose(2, 3, 0, 1)
        layer = keras.layers.DepthwiseConv2D(kernel.shape[0], stride, "same", use_bias=False)
        x = layer(x)
        layer.set_weights([kernel])
        return x

    image = keras.Input((image_size, image_size, 3))
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128)(image)
    x = normalized(convolved(x, "_conv_stem", 2), "_bn0")
    block = 0
    for repeats, first_stride in STAGES:
        for repeat in range(repeats):
            prefix, stride = f"_blocks.{block}.", first_stride if repeat == 0 else 1
            y = x
            if f"{prefix}_expand_conv.weight" in weights:
                y = normalized(convolved(y, f"{prefix}_expand_conv"), f"{prefix}_bn0")
            y = normalized(depthwise(y, f"{prefix}_depthwise_conv", stride), f"{prefix}_bn1")
            y = normalized(convolved(y, f"{prefix}_project_conv"), f"{prefix}_bn2", activate=False)
            x = keras.layers.Add()([x, y]) if stride == 1 and x.shape[-1] == y.shape[-1] else y
            block += 1
    x = normalized(convolved(x, "_conv_head"), "_bn1")
    model = keras.Model(image, x)
    model.trainable = False
    return model


class TutorialExtraction:
    """Extracts feature maps of encoded images, decoded one after another as in the tutorial.

    Args:
        image_size: side to which images are resized, in pixels.
    """

    def __init__(self, image_size: int) -> None:
        self.model = lite0(image_size)
        self.size = image_size
        self.network = tf.function(lambda images: self.model(images, training=False))

    def __call__(self, encoded: list[bytes]) -> np.ndarray[Any, Any]:
        """Feature maps float32 `[B, size/32, size/32, C]`."""
        dataset = tf.data.Dataset.from_tensor_slices(encoded)
        batches = dataset.map(self._load).batch(_BATCH)
        return np.concatenate([self.network(batch).numpy() for batch in batches])

    def _load(self, data: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        return tf.image.resize(image, (self.size, self.size))
