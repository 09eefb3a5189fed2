"""The interface of a frozen image backbone.

Legend: `B` images, `C` feature channels.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Extractor(Protocol):
    """A frozen convolutional network without its classification head."""

    name: str
    #: Side of the square input, in pixels.
    image_size: int
    #: `(height, width, C)` of a feature map.
    output_shape: tuple[int, int, int]
    #: SHA-256 checksum of the file of weights, in hexadecimal.
    weights_sha256: str

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Feature maps float32 `[B, height, width, C]` of RGB images uint8 `[B, S, S, 3]`.

        `S` is `image_size`.
        """
        ...

    def feature_maps(self, images: Any) -> Any:
        """The same for a TensorFlow tensor, as a part of another graph."""
        ...
