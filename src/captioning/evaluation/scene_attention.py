"""Measures whether the decoder attends to the object that it is naming.

This is possible because the dataset `scenes` records the box of every object that it draws.

Legend: `T` words of a caption; `H`, `W` rows and columns of an attention map.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.core.errors import InputError
from captioning.evaluation.predictions import ObjectPeak, Point
from captioning.evaluation.scene_truth import Objects, matching, share
from captioning.scenes.claims import parse_caption

_POINTS_PER_CELL = 8


def object_words(caption: str, objects: Objects) -> list[tuple[int, list[Sequence[float]]]]:
    """Find the words of a caption that name objects of its image by color and shape.

    Returns:
        For each such shape word: its index in the caption, from 0, and the boxes (x0, y0, x1, y1
        in pixels) of the objects that it names.
    """
    found = []
    for mention in parse_caption(caption).mentions:
        boxes = [item["box"] for item in matching(mention, objects)]
        if mention.colour is not None and boxes:
            found.append((mention.place, boxes))
    return found


def object_peaks(
    attention: NDArray[np.float32], caption: str, row: Mapping[str, Any]
) -> tuple[ObjectPeak, ...]:
    """Find where the attention is highest at each object word (see `object_words`) of one image.

    Args:
        attention: float32 `[T, H, W]`, one map for each word.
        caption: caption of `T` words.
        row: row of the raw table, with `objects`, `width` and `height`.
    """
    size = (row["width"], row["height"])
    return tuple(
        ObjectPeak(
            word=place,
            smooth=attention_peak(attention[place], *size),
            cell=attention_peak(attention[place], *size, smoothing=0),
        )
        for place, _ in object_words(caption, row["objects"])
    )


class AttentionPeaks:
    """Counts how often the attention is highest inside the object that is being named."""

    def __init__(self) -> None:
        self._images: list[int] = []
        self._peaks: list[ObjectPeak] = []
        self._boxes: list[list[Sequence[float]]] = []

    def add(self, peaks: Sequence[ObjectPeak], caption: str, objects: Objects) -> None:
        """Add the peaks of one image.

        Args:
            peaks: what `object_peaks` found.
            caption: caption of the image.
            objects: objects of the image.

        Raises:
            InputError: the peaks are not those of the caption's object words.
        """
        named = object_words(caption, objects)
        if [peak.word for peak in peaks] != [place for place, _ in named]:
            raise InputError(
                f"the attention peaks do not belong to the words of the caption {caption!r}"
            )
        image = self._images[-1] + 1 if self._images else 0
        self._images += [image] * len(peaks)
        self._peaks += peaks
        self._boxes += [boxes for _, boxes in named]

    def metrics(self) -> dict[str, float | int | None]:
        """Shares over all object words (see `object_words`) of the images added.

        Returns:
            `attention_peak_in_box`: share of the object words whose peak (see `attention_peak`)
            lies in a box of the objects that they name; `attention_peak_in_box_by_chance`: the
            same with the peaks of words in other images; `attention_cell_in_box`: the same
            without smoothing, that is with the center of the highest cell; `attention_words`:
            number of object words. A share is None without object words; the one by chance also
            if more than half of them are in one image.
        """
        # The peaks of words in other images: those half the list away.
        half = len(self._peaks) // 2
        elsewhere = [*self._peaks[half:], *self._peaks[:half]]
        images = [*self._images[half:], *self._images[:half]]
        others = all(one != other for one, other in zip(self._images, images, strict=True))

        def inside(points: Iterable[Point]) -> float | None:
            return share(_in_any(p, named) for p, named in zip(points, self._boxes, strict=True))

        return {
            "attention_peak_in_box": inside(peak.smooth for peak in self._peaks),
            "attention_peak_in_box_by_chance": inside(peak.smooth for peak in elsewhere)
            if others
            else None,
            "attention_cell_in_box": inside(peak.cell for peak in self._peaks),
            "attention_words": len(self._peaks),
        }


def attention_peak(
    attention: NDArray[np.float32], width: int, height: int, smoothing: float = 1.0
) -> tuple[float, float]:
    """Find the position in the image where an attention map is highest.

    The features of a cell also depend on its surroundings. Therefore every weight is spread by a
    Gaussian, as in the maps of Xu et al. 2015 ("Show, Attend and Tell", section 5.4).

    Args:
        attention: float32 `[H, W]`.
        width: width of the image in pixels.
        height: height of the image in pixels.
        smoothing: standard deviation of the Gaussian in cells; 0 gives the center of the highest
            cell.

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
    """Each cell's Gaussian at evenly spaced points along one axis: `[cells * points, cells]`."""
    centers = np.arange(cells) + 0.5
    positions = (np.arange(cells * points) + 0.5) / points
    return np.exp(-0.5 * ((positions[:, None] - centers[None, :]) / deviation) ** 2)


def _in_any(point: tuple[float, float], boxes: Iterable[Sequence[float]]) -> bool:
    x, y = point
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes)
