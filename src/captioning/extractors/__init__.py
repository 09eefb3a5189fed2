"""Frozen image backbones, one module each, and the function that makes one by its name."""

from __future__ import annotations

from captioning.core.errors import InputError
from captioning.extractors.base import Extractor

__all__ = ["Extractor", "make_extractor"]


def make_extractor(name: str, image_size: int) -> Extractor:
    """Make the backbone called `name`.

    Args:
        name: value of `features.extractor` in params.yaml.
        image_size: side of the square input images, in pixels.

    Raises:
        InputError: there is no such backbone, or its weights are not available.
    """
    # Imported only when chosen, because each of these modules imports TensorFlow.
    if name == "efficientnet_lite0":
        from captioning.extractors.efficientnet_lite0 import EfficientNetLite0

        return EfficientNetLite0(image_size)
    if name == "mobilenet_v3_small":
        from captioning.extractors.mobilenet_v3_small import MobileNetV3Small

        return MobileNetV3Small(image_size)
    raise InputError(f"unknown extractor {name!r}: choose efficientnet_lite0 or mobilenet_v3_small")
