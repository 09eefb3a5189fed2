"""Draws where the model looks while it writes a caption."""

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
from captioning.evaluation.fonts import font_families, notice_of_missing_glyphs

_COLUMNS = 6
_LINE_LENGTH = 100


def plot_attention(
    path: Path | str,
    image: Image.Image,
    caption: str,
    attention: NDArray[np.float32],
    references: Sequence[str] = (),
    pieces: Sequence[str] | None = None,
    name: str = "",
) -> None:
    """Draw the image, then the image again for every word (or piece of one) under its attention.

    As "Attention plots" in the TensorFlow tutorial "Image captioning with visual attention".
    Characters that Matplotlib's own font lacks are drawn with other installed fonts, see `fonts`.

    Args:
        path: where the PNG is written; the same input gives the same bytes.
        image: RGB image.
        caption: caption shown at the top.
        attention: float32 `[pieces, height, width]`; every map sums to 1.
        references: reference captions, of which the first is shown below the caption.
        pieces: words or pieces that the maps belong to; default: the words of the caption.
        name: name of the image, drawn below it and stored as the PNG's `Title`; empty: none.

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
    families = font_families()
    # Captions are not formulas, although Matplotlib would read a pair of dollar signs as one.
    lines = "\n".join(map(_wrapped, title.split("\n")))
    figure.suptitle(lines, parse_math=False, fontfamily=families)
    axes: list[Any] = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    for axis in axes:
        axis.set_axis_off()
    axes[0].imshow(image)
    if name:
        label = _one_line(name)
        figure.supxlabel(label, parse_math=False, fontfamily=families, fontsize="small")
    width, height = image.size
    for axis, piece, weights in zip(axes[1:], pieces, attention, strict=False):
        axis.imshow(image)
        overlay = axis.imshow(
            weights, cmap="inferno", alpha=0.6, extent=(0, width, height, 0), vmin=0
        )
        overlay.set_interpolation("bilinear")
        label = f"{piece} ({weights.max():.2f})"
        axis.set_title(label, parse_math=False, fontfamily=families)
    with atomic_path(path) as temporary, notice_of_missing_glyphs():
        # By default Matplotlib writes its version into the file.
        metadata = {"Software": None} | ({"Title": name} if name else {})
        figure.savefig(temporary, metadata=metadata)


def _one_line(name: str) -> str:
    """A name on one line; the middle of a long one is left out."""
    shown = "".join(sign if sign.isprintable() else "�" for sign in name)
    half = _LINE_LENGTH // 2
    return shown if len(shown) <= _LINE_LENGTH else f"{shown[: half - 1]}…{shown[-half:]}"


def _wrapped(line: str) -> str:
    """Break a line that is too long; Chinese, Japanese and Korean characters are twice as wide."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    return fill(line, _LINE_LENGTH // 2 if 2 * wide > len(line) else _LINE_LENGTH)
