"""Pictures of what the model looks at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from captioning.files import atomic_path

_COLUMNS = 6


def plot_attention(
    path: Path | str,
    image: Image.Image,
    caption: str,
    attention: NDArray[np.float32],
    references: Sequence[str] = (),
) -> None:
    """Draw the image, then once for every word the attention over it (the tutorial's "Attention
    plots").

    Args:
        path: of the PNG; the same input gives the same bytes.
        image: RGB.
        caption: as many words as maps.
        attention: float32 `[words, height, width]`; every map sums to 1.
        references: shown under the caption.

    Raises:
        ValueError: words and maps differ in number.
    """
    words = caption.split()
    if len(words) != len(attention):
        raise ValueError(f"{len(words)} words but {len(attention)} attention maps")
    rows = -(-(len(words) + 1) // _COLUMNS)
    figure = Figure(figsize=(2 * _COLUMNS, 2.3 * rows + 0.8), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    title = caption or "(empty caption)"
    if references:
        title += f"\nreference: {references[0]}"
    # Captions are no formulas: a pair of dollar signs would be read as one.
    lines = "\n".join(fill(line, 100) for line in title.split("\n"))
    figure.suptitle(lines, parse_math=False)
    axes: list[Any] = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    for axis in axes:
        axis.set_axis_off()
    axes[0].imshow(image)
    width, height = image.size
    for axis, word, weights in zip(axes[1:], words, attention, strict=False):
        axis.imshow(image)
        overlay = axis.imshow(
            weights, cmap="inferno", alpha=0.6, extent=(0, width, height, 0), vmin=0
        )
        overlay.set_interpolation("bilinear")
        axis.set_title(f"{word} ({weights.max():.2f})", parse_math=False)
    with atomic_path(path) as temporary:
        # Matplotlib would note its version in the file.
        figure.savefig(temporary, metadata={"Software": None})
