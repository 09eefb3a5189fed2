"""Are captions of drawn scenes true, and does the attention lie on the object named?

What no photograph set lets one measure: `scenes` keeps every object's looks and box.

Legend: `T` words of a caption; `H`, `W` the attention map's grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.datasets.scenes.grammar import Claim, Mention, parse_caption

Objects = Sequence[Mapping[str, Any]]

_DIGITS = 6
_POINTS_PER_CELL = 8


@dataclass(frozen=True)
class Judgement:
    """Which claims of a caption are true of its picture; None where it claims nothing.

    Attributes:
        pair_true: a colour and shape named together are those of an object.
        pairs_all_true: some are named together, and every pair is that of an object.
        colour_true, shape_true: every one named is some object's.
        size_true: every size named is that of an object with the colour and shape it goes with.
        count_true: every number named is that of the objects with the looks it goes with.
        relation_true: the objects first named lie on the side said of those named next.
    """

    pair_true: bool
    pairs_all_true: bool
    colour_true: bool | None
    shape_true: bool | None
    size_true: bool | None
    count_true: bool | None
    relation_true: bool | None


def judge(caption: str, objects: Objects) -> Judgement:
    """Compare a caption with the objects of its picture (rows of the raw table's `objects`)."""
    claim = parse_caption(caption)
    mentions = claim.mentions

    def all_true(named: Callable[[Mention], bool], true: Callable[[Mention], bool]) -> bool | None:
        found = [true(mention) for mention in mentions if named(mention)]
        return all(found) if found else None

    pairs = [bool(_matching(m, objects)) for m in mentions if m.colour is not None]
    return Judgement(
        pair_true=any(pairs),
        pairs_all_true=bool(pairs) and all(pairs),
        colour_true=all_true(
            lambda m: m.colour is not None, lambda m: any(o["colour"] == m.colour for o in objects)
        ),
        shape_true=all_true(lambda m: True, lambda m: any(o["shape"] == m.shape for o in objects)),
        size_true=all_true(
            lambda m: m.size is not None,
            lambda m: any(o["size"] == m.size for o in _matching(m, objects)),
        ),
        count_true=all_true(
            lambda m: m.count is not None, lambda m: len(_matching(m, objects)) == m.count
        ),
        relation_true=_relation_true(claim, objects),
    )


def _matching(mention: Mention, objects: Objects) -> list[Mapping[str, Any]]:
    """Objects of the shape and, where one is named, the colour that a mention names."""
    return [
        item
        for item in objects
        if item["shape"] == mention.shape and mention.colour in (None, item["colour"])
    ]


def _relation_true(claim: Claim, objects: Objects) -> bool | None:
    if claim.relation is None:
        return None
    first, second = (_matching(mention, objects) for mention in claim.mentions[:2])
    if not first or not second:
        return False
    axis = 0 if claim.relation in ("left", "right") else 1
    centres = [
        np.mean([(item["box"][axis] + item["box"][axis + 2]) / 2 for item in group])
        for group in (first, second)
    ]
    before = bool(centres[0] < centres[1])
    return before if claim.relation in ("left", "above") else not before


def grounding_metrics(
    captions: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """How often captions are true.

    Args:
        captions: one a picture.
        rows: of the raw table, with `objects` and `held_out`.

    Returns:
        `colour_shape_true`: share of the captions that name a colour and shape that are in the
        picture together; `colour_shape_all_true`: and none that isn't; both also over the
        pictures whose combinations occur in training (`_seen`) and over those whose don't
        (`_held_out`); `colour_true`, `shape_true`, `size_true`, `count_true`, `relation_true`:
        share of the captions, among those that name such a thing, in which all of it is true
        (None where none names it).
    """
    judgements = [
        judge(caption, row["objects"]) for caption, row in zip(captions, rows, strict=True)
    ]
    held_out = [bool(row["held_out"]) for row in rows]
    metrics: dict[str, float | None] = {}
    for name, pairs in (
        ("colour_shape_true", [judgement.pair_true for judgement in judgements]),
        ("colour_shape_all_true", [judgement.pairs_all_true for judgement in judgements]),
    ):
        metrics[name] = _share(pairs)
        metrics[f"{name}_seen"] = _share(p for p, h in zip(pairs, held_out, strict=True) if not h)
        metrics[f"{name}_held_out"] = _share(p for p, h in zip(pairs, held_out, strict=True) if h)
    for name in ("colour", "shape", "size", "count", "relation"):
        metrics[f"{name}_true"] = _share(getattr(j, f"{name}_true") for j in judgements)
    return metrics


def _share(values: Iterable[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), _DIGITS) if known else None


def object_words(caption: str, objects: Objects) -> list[tuple[int, list[Sequence[float]]]]:
    """Where a caption names an object that is in the picture.

    Returns:
        For each such shape word, named with its colour: its place among the words, from 0, and
        the boxes (x0, y0, x1, y1 in pixels) of the objects it names.
    """
    found = []
    for mention in parse_caption(caption).mentions:
        boxes = [item["box"] for item in _matching(mention, objects)]
        if mention.colour is not None and boxes:
            found.append((mention.place, boxes))
    return found


def attention_peak_metrics(
    maps: Sequence[NDArray[np.float32]],
    captions: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
) -> dict[str, float | int | None]:
    """How often the attention is highest inside the object that is being named.

    Args:
        maps: for each picture float32 `[T, H, W]`, one map a word.
        captions: of as many words.
        rows: of the raw table, with `objects`, `width` and `height`.

    Returns:
        `attention_peak_in_box`: share of the object words while which the peak of the smoothed map
        (see `attention_peak`) lies in a box of the objects named;
        `attention_peak_in_box_by_chance`: the same with every word's peak taken from another
        picture; `attention_cell_in_box`: with the centre of the highest cell for the peak, without
        smoothing; `attention_words`: how many there are.
    """
    peaks, cells, boxes = [], [], []
    for attention, caption, row in zip(maps, captions, rows, strict=True):
        for place, named in object_words(caption, row["objects"]):
            size = (row["width"], row["height"])
            peaks.append(attention_peak(attention[place], *size))
            cells.append(attention_peak(attention[place], *size, smoothing=0))
            boxes.append(named)
    half = len(peaks) // 2
    elsewhere = [*peaks[half:], *peaks[:half]]

    def inside(points: Sequence[tuple[float, float]]) -> float | None:
        return _share(_in_any(point, named) for point, named in zip(points, boxes, strict=True))

    return {
        "attention_peak_in_box": inside(peaks),
        "attention_peak_in_box_by_chance": inside(elsewhere),
        "attention_cell_in_box": inside(cells),
        "attention_words": len(peaks),
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
