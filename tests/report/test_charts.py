"""The geometry of charts."""

from __future__ import annotations

import math

import pytest

from captioning.report.charts import Bars, Series, histogram, line_chart


def test_lines_lie_between_the_axes_and_grow_upwards():
    chart = line_chart("t", "x", "y", [Series("s", "c0", [(1, 0.2), (2, 0.9), (4, 0.5)])])
    marks = chart.drawn[0].marks
    assert marks[1].y < marks[2].y < marks[0].y
    assert marks[0].x < marks[1].x < marks[2].x
    assert (marks[2].x - marks[1].x) == pytest.approx(2 * (marks[1].x - marks[0].x), abs=0.02)
    for mark in marks:
        assert chart.left <= mark.x <= chart.right and chart.top <= mark.y <= chart.bottom
    assert chart.drawn[0].path == " ".join(
        f"{letter}{mark.x:g} {mark.y:g}" for letter, mark in zip("MLL", marks, strict=True)
    )


def test_values_agree_with_the_ticks():
    chart = line_chart("t", "x", "y", [Series("s", "c0", [(0, 0), (10, 1)])])
    places = {tick.label: tick.place for tick in chart.y_ticks}
    assert chart.drawn[0].marks[0].y == places["0"]
    assert chart.drawn[0].marks[1].y == places["1"]


def test_what_is_not_finite_is_left_out():
    points = [(1, 0.5), (2, math.nan), (3, math.inf), (4, 0.6)]
    chart = line_chart("t", "x", "y", [Series("s", "c0", points)])
    assert len(chart.drawn[0].marks) == 2
    assert line_chart("t", "x", "y", [Series("s", "c0", [(1, math.nan)])]) is None


def test_bars_are_shares_of_their_group():
    chart = histogram("t", "words", [Bars("a", "c0", {3: 1, 4: 3}), Bars("b", "c1", {4: 10})])
    three, four = chart.drawn[0].marks
    assert four.height == pytest.approx(3 * three.height, abs=0.05)
    (all_of_b,) = chart.drawn[1].marks
    assert all_of_b.height > four.height and all_of_b.x > four.x
    assert "b, 4 words: 100 %" in all_of_b.label
    assert [tick.label for tick in chart.x_ticks] == ["3", "4"]


def test_long_ranges_become_bins():
    chart = histogram("t", "words", [Bars("a", "c0", dict.fromkeys(range(1, 401), 1))])
    assert len(chart.drawn[0].marks) == 40
    assert chart.drawn[0].marks[0].label == "a, 1–10 words: 2.5 %"
    assert all(mark.x + mark.width <= chart.right for mark in chart.drawn[0].marks)
    assert histogram("t", "words", [Bars("a", "c0", {})]) is None
