"""Pictures of what the model looks at."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from captioning.core.files import atomic_path
from captioning.evaluation.fonts import font_families, without_glyph_warnings

_COLUMNS = 6
_LINE = 100


def plot_attention(
    path: Path | str,
    image: Image.Image,
    caption: str,
    attention: NDArray[np.float32],
    references: Sequence[str] = (),
    pieces: Sequence[str] | None = None,
) -> None:
    """Draw the image, then once for every word or piece of one the attention over it.

    The tutorial's "Attention plots". Characters that Matplotlib's own font lacks are drawn with a
    font of the system that has them, see `fonts`.

    Args:
        path: of the PNG; the same input gives the same bytes.
        image: RGB.
        caption: shown above.
        attention: float32 `[pieces, height, width]`; every map sums to 1.
        references: shown under the caption.
        pieces: what each map belongs to; None for the words of the caption.

    Raises:
        ValueError: pieces and maps differ in number.
    """
    pieces = caption.split() if pieces is None else pieces
    if len(pieces) != len(attention):
        raise ValueError(f"{len(pieces)} words but {len(attention)} attention maps")
    rows = -(-(len(pieces) + 1) // _COLUMNS)
    figure = Figure(figsize=(2 * _COLUMNS, 2.3 * rows + 0.8), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    title = caption or "(empty caption)"
    if references:
        title += f"\nreference: {references[0]}"
    families = font_families("".join([title, *pieces]))
    # Captions are no formulas: a pair of dollar signs would be read as one.
    lines = "\n".join(map(_wrapped, title.split("\n")))
    figure.suptitle(lines, parse_math=False, fontfamily=families)
    axes: list[Any] = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    for axis in axes:
        axis.set_axis_off()
    axes[0].imshow(image)
    width, height = image.size
    for axis, piece, weights in zip(axes[1:], pieces, attention, strict=False):
        axis.imshow(image)
        overlay = axis.imshow(
            weights, cmap="inferno", alpha=0.6, extent=(0, width, height, 0), vmin=0
        )
        overlay.set_interpolation("bilinear")
        label = f"{piece} ({weights.max():.2f})"
        axis.set_title(label, parse_math=False, fontfamily=families)
    with atomic_path(path) as temporary, without_glyph_warnings():
        # Matplotlib would note its version in the file.
        figure.savefig(temporary, metadata={"Software": None})


def _wrapped(line: str) -> str:
    """A line broken where it gets too long; Chinese, Japanese and Korean take twice the room."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    return fill(line, _LINE // 2 if 2 * wide > len(line) else _LINE)
