"""Does the attention lie on the object being named?

`scenes` keeps every object's box, which no photograph set does.

Legend: `T` words of a caption; `H`, `W` the attention map's grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.evaluation.scene_truth import Objects, matching, share
from captioning.scenes.claims import parse_caption

Point = tuple[float, float]

_POINTS_PER_CELL = 8


def object_words(caption: str, objects: Objects) -> list[tuple[int, list[Sequence[float]]]]:
    """Where a caption names an object that is in the picture.

    Returns:
        For each such shape word, named with its colour: its place among the words, from 0, and
        the boxes (x0, y0, x1, y1 in pixels) of the objects it names.
    """
    found = []
    for mention in parse_caption(caption).mentions:
        boxes = [item["box"] for item in matching(mention, objects)]
        if mention.colour is not None and boxes:
            found.append((mention.place, boxes))
    return found


class AttentionPeaks:
    """How often the attention is highest inside the object that is being named.

    Fed picture by picture, it keeps no map.
    """

    def __init__(self) -> None:
        self._peaks: list[Point] = []
        self._cells: list[Point] = []
        self._boxes: list[list[Sequence[float]]] = []

    def add(self, attention: NDArray[np.float32], caption: str, row: Mapping[str, Any]) -> None:
        """Find the peaks of one picture.

        Args:
            attention: float32 `[T, H, W]`, one map a word.
            caption: of as many words.
            row: of the raw table, with `objects`, `width` and `height`.
        """
        size = (row["width"], row["height"])
        for place, named in object_words(caption, row["objects"]):
            self._peaks.append(attention_peak(attention[place], *size))
            self._cells.append(attention_peak(attention[place], *size, smoothing=0))
            self._boxes.append(named)

    def metrics(self) -> dict[str, float | int | None]:
        """Shares over all object words added.

        Returns:
            `attention_peak_in_box`: share of the object words while which the peak of the smoothed
            map (see `attention_peak`) lies in a box of the objects named;
            `attention_peak_in_box_by_chance`: the same with every word's peak taken from another
            picture; `attention_cell_in_box`: with the centre of the highest cell for the peak,
            without smoothing; `attention_words`: how many there are.
        """
        half = len(self._peaks) // 2
        elsewhere = [*self._peaks[half:], *self._peaks[:half]]

        def inside(points: Sequence[Point]) -> float | None:
            return share(_in_any(p, named) for p, named in zip(points, self._boxes, strict=True))

        return {
            "attention_peak_in_box": inside(self._peaks),
            "attention_peak_in_box_by_chance": inside(elsewhere),
            "attention_cell_in_box": inside(self._cells),
            "attention_words": len(self._peaks),
        }


def attention_peak(
    attention: NDArray[np.float32], width: int, height: int, smoothing: float = 1.0
) -> tuple[float, float]:
    """Where in the picture an attention map is highest.

    A cell's features come from around it as well: every weight is spread by a Gaussian, as the
    maps of Xu et al. 2015 ("Show, Attend and Tell", 5.4) are.

    Args:
        attention: float32 `[H, W]`.
        width, height: of the picture, in pixels.
        smoothing: standard deviation of the Gaussian, in cells; 0 takes the highest cell's centre.

    Returns:
        x and y in pixels.
    """
    points = 1 if smoothing == 0 else _POINTS_PER_CELL
    rows, columns = (
        _gaussians(cells, points, smoothing) if smoothing else np.eye(cells)
        for cells in attention.shape
    )
    smooth = rows @ attention @ columns.T
    y, x = np.unravel_index(int(smooth.argmax()), smooth.shape)
    return (
        float((x + 0.5) * width / smooth.shape[1]),
        float((y + 0.5) * height / smooth.shape[0]),
    )


def _gaussians(cells: int, points: int, deviation: float) -> NDArray[np.float64]:
    """`[cells * points, cells]`: each cell's Gaussian at evenly spaced points along one axis."""
    centres = np.arange(cells) + 0.5
    along = (np.arange(cells * points) + 0.5) / points
    return np.exp(-0.5 * ((along[:, None] - centres[None, :]) / deviation) ** 2)


def _in_any(point: tuple[float, float], boxes: Iterable[Sequence[float]]) -> bool:
    x, y = point
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes)
