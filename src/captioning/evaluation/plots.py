"""Draws where the model looks while it writes a caption."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from captioning.core.files import atomic_path
from captioning.evaluation.fonts import font_families, notice_of_missing_glyphs
from captioning.evaluation.spotlight import spotlight

# All lengths are in inches.
_WIDTH = 12.0
_DPI = 100
_MARGIN = 0.15
_GAP = 0.12
_LABEL = 0.3
_FOOT_LINE = 0.2
_PANEL_AREA = 3.6
# The label of a word needs the smaller width.
_MIN_PANEL, _MAX_PANEL = 1.35, 3.82
_MAX_HEIGHT = 4.0
# Larger images are scaled down: twice as many pixels as a panel has.
_MOST_PIXELS = 800
# In characters; the caption at the top is larger.
_LINE_LENGTH, _HEAD_LENGTH = 100, 85
_POINTS = 72
_OUTLINED = 0.5
# Black on white, to be seen on any picture.
_OUTLINE = (("white", 3.0), ("black", 1.2))
_PALE_TEXT = "#666666"


@dataclass(frozen=True)
class _Page:
    """Where the panels are: `count` of them in `columns`, each `width` by `height`."""

    columns: int
    rows: int
    width: float
    height: float

    @classmethod
    def of(cls, count: int, aspect: float) -> _Page:
        """The page for `count` images whose width is `aspect` times their height."""
        wanted = min(max((_PANEL_AREA * aspect) ** 0.5, _MIN_PANEL), _MAX_PANEL)
        usable = _WIDTH - 2 * _MARGIN + _GAP
        columns = max(int(usable / (wanted + _GAP)), 1)
        rows = 1 if count == columns + 1 else -(-count // columns)
        columns = max(-(-count // rows), 3)  # Rows of about equal length.
        width = min(usable / columns - _GAP, _MAX_PANEL, max(_MAX_HEIGHT * aspect, _MIN_PANEL))
        return cls(columns, rows, width, min(width / aspect, _MAX_HEIGHT))


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

    Where the model looks, the image has its colors; elsewhere it is pale. A line goes around the
    places with at least half of the highest attention. The number beside a word, and a legend at
    the bottom, say how much of the attention is on the strongest cell.

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
    page = _Page.of(len(pieces) + 1, image.width / image.height)
    image = image.copy()
    image.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    head = _wrapped(caption or "(empty caption)", _HEAD_LENGTH)
    below = _wrapped(f"reference: {references[0]}") if references else ""
    top = 0.3 * _lines(head) + 0.22 * _lines(below) + 0.2
    height = top + page.rows * (_LABEL + page.height + _GAP) + 2 * _FOOT_LINE + _MARGIN
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    # Captions are not formulas, although Matplotlib would read a pair of dollar signs as one.
    style: dict[str, Any] = {"parse_math": False, "fontfamily": font_families()}
    x, y = _MARGIN / _WIDTH, 1 - 0.12 / height
    figure.text(x, y, head, va="top", fontsize=15, fontweight="bold", **style)
    small = {"color": _PALE_TEXT, **style}
    figure.text(x, y - 0.3 * _lines(head) / height, below, va="top", fontsize=11, **small)
    panels = _panels(figure, page, len(pieces) + 1, top, height)
    panels[0].imshow(image)
    for axis, piece, weights in zip(panels[1:], pieces, attention, strict=True):
        _draw_word(axis, piece, image, weights, page.width, style)
    for number, line in enumerate([_one_line(name), _legend(attention)]):
        y = (_MARGIN + _FOOT_LINE * number) / height
        figure.text(x, y, line, va="bottom", fontsize=9, **small)
    with atomic_path(path) as temporary, notice_of_missing_glyphs():
        # By default Matplotlib writes its version into the file.
        metadata = {"Software": None} | ({"Title": name} if name else {})
        figure.savefig(temporary, metadata=metadata)


def _panels(figure: Figure, page: _Page, count: int, top: float, height: float) -> list[Axes]:
    """Axes for the image and for each word, row by row, below the uppermost `top` inches."""
    panels = []
    for index in range(count):
        row, column = divmod(index, page.columns)
        left = _MARGIN + column * (page.width + _GAP)
        bottom = height - top - (row + 1) * (_LABEL + page.height) - row * _GAP
        box = (left / _WIDTH, bottom / height, page.width / _WIDTH, page.height / height)
        axis = figure.add_axes(box)
        axis.set_axis_off()
        panels.append(axis)
    return panels


def _draw_word(
    axis: Axes,
    piece: str,
    image: Image.Image,
    attention: NDArray[np.float32],
    width: float,
    style: Mapping[str, Any],
) -> None:
    """Draw the image under the attention of one word; above it the word and its highest share."""
    seen, relative = spotlight(image, attention)
    axis.imshow(seen)
    # Matplotlib warns if there is no such line, and fails for images of a single row or column.
    if relative.min() < _OUTLINED < relative.max() and min(relative.shape) > 1:
        for color, line_width in _OUTLINE:
            axis.contour(relative, levels=[_OUTLINED], colors=color, linewidths=line_width)
    size = _font_size(piece, width - 0.45)
    axis.set_title(piece, loc="left", pad=4, fontsize=size, fontweight="bold", **style)
    axis.set_title(f"{attention.max():.0%}", loc="right", pad=4, fontsize=9, color=_PALE_TEXT)


def _legend(attention: NDArray[np.float32]) -> str:
    """What the number beside a word, the line and the pale parts mean; nothing without words."""
    if not len(attention):
        return ""
    rows, columns = attention.shape[1:]
    return (
        "Beside each word: share of its attention on the strongest of the "
        f"{rows} × {columns} cells (if spread evenly: {1 / (rows * columns):.0%}). "
        "Outlined: at least half as strong. Pale: little or no attention."
    )


def _lines(text: str) -> int:
    return text.count("\n") + 1 if text else 0


def _font_size(text: str, width: float) -> float:
    """The largest size, in points, from 5 to 12, at which a word fits into `width` inches."""
    letters = sum(2 if _is_wide(character) else 1 for character in text) * 0.66
    return min(12.0, max(5.0, width * _POINTS / letters)) if letters else 12.0


def _one_line(name: str) -> str:
    """A name on one line; the middle of a long one is left out."""
    shown = "".join(sign if sign.isprintable() else "�" for sign in name)
    half = _LINE_LENGTH // 2
    return shown if len(shown) <= _LINE_LENGTH else f"{shown[: half - 1]}…{shown[-half:]}"


def _wrapped(line: str, length: int = _LINE_LENGTH) -> str:
    """Break a line that is too long; Chinese, Japanese and Korean characters are twice as wide."""
    return fill(line, length // 2 if 2 * sum(map(_is_wide, line)) > len(line) else length)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
