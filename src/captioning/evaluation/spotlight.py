"""Shows attention on an image without hiding it: colors where the model looks, pale elsewhere.

Legend: `H`, `W` rows and columns of an attention map; `h`, `w` those of the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# How pale the image is without attention: shares of white, and of gray in the rest.
_WHITE, _GRAY = 0.6, 0.8
# Attention from this share of the highest on leaves the colors as they are.
_FULL = 0.8


def spotlight(
    image: Image.Image, attention: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pale the image where there is little attention.

    Args:
        image: RGB image.
        attention: `[H, W]`, not negative.

    Returns:
        The image, float32 `[h, w, 3]` from 0 to 1; and the attention relative to its highest value,
        interpolated between the centers of cells, float32 `[h, w]`.
    """
    pixels = np.asarray(image, np.float32) / 255
    highest = float(attention.max())
    relative = attention / highest if highest > 0 else np.zeros_like(attention)
    cells = Image.fromarray(np.asarray(relative, np.float32))
    smooth = np.asarray(cells.resize(image.size, Image.Resampling.BICUBIC), np.float32)
    smooth = smooth.clip(0, 1)
    gray = pixels.mean(axis=2, keepdims=True)
    pale = _WHITE + (1 - _WHITE) * (_GRAY * gray + (1 - _GRAY) * pixels)
    light = (smooth / _FULL).clip(0, 1)[:, :, None]
    return light * pixels + (1 - light) * pale, smooth
