"""Formats a comparison as text for a terminal and as Markdown for a pull request."""

from __future__ import annotations

import html
import json
import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from tabulate import tabulate

from captioning.evaluation.metrics import METRICS
from captioning.experiments.as_json import method
from captioning.experiments.comparison import BaselineDelta, ChangedImage, Comparison, Experiment
from captioning.experiments.significance import (
    Difference,
    Run,
    interval,
    mean,
    mean_resampled,
    spread,
)


class Table(NamedTuple):
    """A title, the names of the columns, and rows of as many cells."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_text(comparison: Comparison) -> str:
    """Format a comparison for a terminal."""
    parts = [_text_table(table) for table in _tables(comparison)]
    for experiment, delta in zip(comparison.experiments[1:], comparison.deltas, strict=True):
        lines = [_changed_title(comparison, experiment, delta)]
        for image in delta.changed:
            lines.append(f"  {image.image_id}  {_scores(image)}")
            lines += [f"    before  {caption}" for caption in image.before]
            lines += [f"    after   {caption}" for caption in image.after]
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, *_remarks(comparison)])


def as_markdown(comparison: Comparison) -> str:
    """Format a comparison for a pull request; the changed captions are collapsed."""
    parts = ["## Captions compared"]
    for table in _tables(comparison):
        parts += [f"### {_escaped(table.title)}", _markdown_table(table.header, table.rows)]
    for experiment, delta in zip(comparison.experiments[1:], comparison.deltas, strict=True):
        title = _changed_title(comparison, experiment, delta)
        rows = [
            (image.image_id, _scores(image), " / ".join(image.before), " / ".join(image.after))
            for image in delta.changed
        ]
        if rows:
            body = _markdown_table(("image", "CIDEr-D", "before", "after"), rows)
            parts.append(
                f"<details><summary>{html.escape(title)}</summary>\n\n{body}\n\n</details>"
            )
        else:
            parts.append(_escaped(title))
    return "\n\n".join([*parts, *map(_escaped, _remarks(comparison))])


def _text_table(table: Table) -> str:
    """The title, then indented columns."""
    # Cells are text already: tabulate must not parse and align them as numbers.
    body = tabulate([table.header, *table.rows], tablefmt="plain", disable_numparse=True)
    return "\n".join([table.title, *(f"  {line}".rstrip() for line in body.splitlines())])


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [list(map(_escaped, row)) for row in rows]
    names = list(map(_escaped, header))
    return tabulate(cells, names, tablefmt="github", disable_numparse=True)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    text = " ".join(text.split())
    for sign in "\\|`*_<>[]":
        text = text.replace(sign, f"\\{sign}")
    return text


def _tables(comparison: Comparison) -> list[Table]:
    """The experiments; params and figures that differ; metrics; differences."""
    names = [experiment.name for experiment in comparison.experiments]
    title = f"Metrics over {comparison.images} images, with 95% intervals"
    rows = [(metric, *(_metric(runs, metric) for runs in comparison.runs)) for metric in METRICS]
    tables = [
        _experiments(comparison),
        *params_tables(comparison),
        Table(title, ("metric", *names), rows),
        *difference_tables(comparison),
    ]
    differing = {key: row for key, row in comparison.figures.items() if len(set(sum(row, ()))) > 1}
    if differing:
        rows = [(key, *map(_figure, row)) for key, row in differing.items()]
        tables.append(Table("Other figures that differ", ("figure", *names), rows))
    return tables


def params_tables(comparison: Comparison) -> list[Table]:
    """The params that differ; no table if none does."""
    if not comparison.params:
        return []
    names = [experiment.name for experiment in comparison.experiments]
    rows = [(key, *map(_values, row)) for key, row in comparison.params.items()]
    return [Table("Params that differ", ("param", *names), rows)]


def difference_tables(comparison: Comparison) -> list[Table]:
    """For every other experiment its differences from the baseline, metric by metric."""
    baseline, *others = comparison.experiments
    return [
        _differences(baseline.name, experiment, delta)
        for experiment, delta in zip(others, comparison.deltas, strict=True)
    ]


def _experiments(comparison: Comparison) -> Table:
    """The revisions of every experiment."""
    rows = [
        (experiment.name, revision.name, (revision.commit or "")[:7] or "-")
        for experiment in comparison.experiments
        for revision in experiment.revisions
    ]
    title = f"Baseline: {comparison.experiments[0].name}"
    return Table(title, ("experiment", "revision", "commit"), rows)


def _differences(baseline: str, experiment: Experiment, delta: BaselineDelta) -> Table:
    """Difference, interval, p-value and verdict of every metric."""
    rows = []
    for metric, difference in delta.differences.items():
        row = [metric, gain(difference), _number(difference.p)]
        if difference.seed_margin is not None:
            row.append(_number(difference.seed_margin))
        rows.append([*row, difference.verdict])
    header = ["metric", "difference [95%]", "p"]
    if len(rows[0]) > len(header) + 1:
        header.append("margin over seeds")
    return Table(f"{experiment.name} against {baseline}", [*header, "verdict"], rows)


def gain(difference: Difference) -> str:
    """A difference with its interval."""
    value, low, high = (
        _number(round(number, 4) + 0.0, "+")  # + 0.0: no -0.0000.
        for number in (difference.value, difference.low, difference.high)
    )
    return value if math.isnan(difference.low) else f"{value} [{low}, {high}]"


def _number(value: float, sign: str = "") -> str:
    """Four digits; `-` for NaN, which stands for what is not defined."""
    return "-" if math.isnan(value) else f"{value:{sign}.4f}"


def _metric(runs: Sequence[Run], metric: str) -> str:
    """The value with its 95% interval; for several runs, mean ± standard deviation over seeds."""
    value = mean(runs, metric)
    if math.isnan(value):
        return "not defined"
    low, high = interval(mean_resampled(runs, metric))
    deviation = spread(runs, metric)
    seeds = "" if deviation is None else f" ± {deviation:.4f}"
    return f"{value:.4f}{seeds}" + ("" if math.isnan(low) else f" [{low:.4f}, {high:.4f}]")


def _values(values: Sequence[Any]) -> str:
    """The distinct values of a param."""
    return ", ".join(dict.fromkeys(json.dumps(v, ensure_ascii=False, default=str) for v in values))


def _figure(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "-"
    shown = f"{statistics.fmean(known):.6g}"
    return shown if len(known) == 1 else f"{shown} ± {statistics.stdev(known):.2g}"


def _changed_title(comparison: Comparison, experiment: Experiment, delta: BaselineDelta) -> str:
    title = (
        f"{experiment.name} against {comparison.experiments[0].name}: different captions for "
        f"{delta.changed_total} of {comparison.images} images"
    )
    if not delta.changed:
        return title
    defined = not math.isnan(delta.changed[0].change)
    return f"{title}; the largest changes in CIDEr-D:" if defined else f"{title}; some of them:"


def _scores(image: ChangedImage) -> str:
    if math.isnan(image.change):
        return "not defined"
    return f"{image.cider_d_before:.3f} -> {image.cider_d_after:.3f} ({image.change:+.3f})"


def _remarks(comparison: Comparison) -> list[str]:
    return [method(comparison), *(f"Note: {note}." for note in comparison.notes)]
