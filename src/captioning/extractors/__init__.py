"""Frozen image backbones, one file each, and their registry."""

from __future__ import annotations

from captioning.core.errors import InputError
from captioning.extractors.base import Extractor

__all__ = ["Extractor", "make_extractor"]


def make_extractor(name: str, image_size: int) -> Extractor:
    """The backbone that `features.extractor` names, for square images of `image_size` pixels.

    Raises:
        InputError: there is none of that name, or its weights can't be had.
    """
    # Imported when chosen: each pulls in TensorFlow.
    if name == "efficientnet_lite0":
        from captioning.extractors.efficientnet_lite0 import EfficientNetLite0

        return EfficientNetLite0(image_size)
    if name == "mobilenet_v3_small":
        from captioning.extractors.mobilenet_v3_small import MobileNetV3Small

        return MobileNetV3Small(image_size)
    raise InputError(f"unknown extractor {name!r}: choose efficientnet_lite0 or mobilenet_v3_small")
