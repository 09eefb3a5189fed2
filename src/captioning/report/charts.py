"""The geometry of charts: positions in a drawing, which templates/charts.html turns into SVG.

Lengths are in the units of the drawing, about one pixel; y grows downwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

_WIDTH, _HEIGHT = 560.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 10.0, 40.0
_TICKS = 6
_DIGITS = 2
_MOST_BINS, _MOST_LABELS, _MOST_RANGES = 40, 14, 7


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    place: float
    label: str


@dataclass(frozen=True)
class Series:
    """Values under a name.

    Attributes:
        name: what the legend calls it.
        colour: CSS class of its color: `c0`, `c1`, … or `reference`.
        points: pairs of x and y.
        dashed: whether its line is dashed.
    """

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True)
class Bars:
    """The counts of numbers, as a group of a histogram.

    Attributes:
        name: what the legend calls it.
        colour: CSS class of its color.
        counts: how often every number occurs.
    """

    name: str
    colour: str
    counts: Mapping[int, int]


@dataclass(frozen=True)
class Mark:
    """A point or bar of a series, with what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class DrawnSeries:
    """A series in the drawing: its points, and the line through them as the data of a path."""

    series: Series
    path: str
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Chart:
    """A chart ready to be drawn.

    Attributes:
        title: what is shown.
        x_label, y_label: what is on the axes.
        kind: `lines` or `bars`.
        width, height: size of the drawing.
        left, right, top, bottom: edges of the area between the axes.
        x_ticks, y_ticks: ticks of the axes.
        drawn: the series.
    """

    title: str
    x_label: str
    y_label: str
    kind: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    drawn: Sequence[DrawnSeries]
    width: float = _WIDTH
    height: float = _HEIGHT
    left: float = _LEFT
    right: float = _WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = _HEIGHT - _BOTTOM


class _Axis:
    """Maps the values from `low` to `high` to positions from `start` to `end`."""

    def __init__(self, low: float, high: float, start: float, end: float, whole: bool) -> None:
        locator = MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10], integer=whole)
        self.values = [float(value) for value in locator.tick_values(low, high)]
        # The axis ends at ticks, so that no value lies outside of them.
        self.low, self.high = self.values[0], self.values[-1]
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), _DIGITS)

    @property
    def ticks(self) -> list[Tick]:
        return [Tick(self(value), f"{round(value, 9):,.10g}") for value in self.values]


def line_chart(title: str, x_label: str, y_label: str, series: Iterable[Series]) -> Chart | None:
    """A chart of lines; None without a finite point."""
    finite = [
        Series(s.name, s.colour, [p for p in s.points if all(map(math.isfinite, p))], s.dashed)
        for s in series
    ]
    points = [point for s in finite for point in s.points]
    if not points:
        return None
    xs, ys = zip(*points, strict=True)
    across = _Axis(min(0.0, *xs), max(xs), _LEFT, _WIDTH - _RIGHT, whole=True)
    up = _Axis(min(ys), max(ys), _HEIGHT - _BOTTOM, _TOP, whole=False)
    drawn = []
    for s in finite:
        marks = [
            Mark(across(x), up(y), 0, 0, f"{s.name}, {x_label} {x:g}: {y:.4g}") for x, y in s.points
        ]
        path = " ".join(
            f"{'L' if number else 'M'}{mark.x:g} {mark.y:g}" for number, mark in enumerate(marks)
        )
        drawn.append(DrawnSeries(s, path, marks))
    return Chart(title, x_label, y_label, "lines", across.ticks, up.ticks, drawn)


def histogram(title: str, x_label: str, groups: Sequence[Bars]) -> Chart | None:
    """Bars side by side: for every number, or range of numbers, its share in each group.

    Args:
        title: what is shown.
        x_label: what the numbers are.
        groups: what is counted.

    Returns:
        The chart; None without counts.
    """
    numbers = {number for group in groups for number in group.counts}
    if not numbers:
        return None
    low, high = min(numbers), max(numbers)
    size = -(-(high - low + 1) // _MOST_BINS)
    shares = [_shares(group.counts, low, size) for group in groups]
    highest = max(share for group in shares for share in group.values())
    up = _Axis(0, highest, _HEIGHT - _BOTTOM, _TOP, whole=False)
    bins = (high - low) // size + 1
    step = (_WIDTH - _RIGHT - _LEFT) / bins
    thick = 0.84 * step / len(groups)
    drawn = []
    for place, (group, found) in enumerate(zip(groups, shares, strict=True)):
        marks = [
            Mark(
                x=round(_LEFT + (number + 0.08) * step + place * thick, _DIGITS),
                y=up(share),
                width=round(thick, _DIGITS),
                height=round(up(0) - up(share), _DIGITS),
                label=f"{group.name}, {_range(low + number * size, size)} {x_label}: {share:.3g} %",
            )
            for number, share in found.items()
        ]
        drawn.append(DrawnSeries(Series(group.name, group.colour, list(found.items())), "", marks))
    ticks = [
        Tick(round(_LEFT + (number + 0.5) * step, _DIGITS), _range(low + number * size, size))
        for number in range(0, bins, -(-bins // (_MOST_LABELS if size == 1 else _MOST_RANGES)))
    ]
    return Chart(title, x_label, "share in %", "bars", ticks, up.ticks, drawn)


def _shares(counts: Mapping[int, int], low: int, size: int) -> dict[int, float]:
    """The share in % of every bin of `size` numbers, from `low` on; bins are counted from 0."""
    total = sum(counts.values())
    shares: dict[int, float] = {}
    for number, count in sorted(counts.items()):
        place = (number - low) // size
        shares[place] = shares.get(place, 0.0) + 100 * count / total
    return shares


def _range(first: int, size: int) -> str:
    return f"{first:,}" if size == 1 else f"{first:,}–{first + size - 1:,}"
