"""Draws the learning curves of revisions from metrics/training.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from captioning.core.errors import InputError
from captioning.experiments.revisions import Revision
from captioning.report.charts import Chart, Series, line_chart

CURVES_FILE, TRAINING_FILE = "metrics/training.csv", "metrics/train.json"
_STEP = "step"
_X = "optimizer steps"
_CHARTS = (
    ("Cross-entropy", "nats per token", "cross_entropy"),
    ("Next-token accuracy", "share of tokens", "accuracy"),
)


def learning_curves(revisions: Sequence[Revision]) -> tuple[list[Chart], list[str], list[str]]:
    """Draw the curves of every revision, on train images dashed, on validation images solid.

    Returns:
        The charts; for every revision a sentence about the weights that were kept, where it is
        known; and notes about files that are missing.

    Raises:
        InputError: a file is damaged.
    """
    tables: dict[str, dict[str, list[float]]] = {}
    notes, kept = [], []
    for revision in revisions:
        try:
            content = revision.read(CURVES_FILE, "train")
        except InputError as error:
            notes.append(f"no learning curves: {error}")
            continue
        tables[revision.name] = _columns(content, revision.place(CURVES_FILE))
        kept += _kept(revision)
    names = [revision.name for revision in revisions]
    charts = []
    for title, y_label, column in _CHARTS:
        series = [
            Series(
                f"{name}, {split}", f"c{names.index(name)}", list(zip(*points, strict=True)), dashed
            )
            for name, table in tables.items()
            for split, key, dashed in (
                ("train", column, True),
                ("validation", f"val_{column}", False),
            )
            if all(points := (table.get(_STEP, []), table.get(key, [])))
        ]
        if (chart := line_chart(title, _X, y_label, series)) is not None:
            charts.append(chart)
    return charts, kept, notes


def _columns(content: bytes, place: str) -> dict[str, list[float]]:
    """The columns of a CSV file of numbers."""
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(
            f"{place} is not a table of numbers ({error}): run `dvc repro train`"
        ) from None


def _kept(revision: Revision) -> list[str]:
    """A sentence about the report whose weights were kept; none where it is not known."""
    try:
        best = json.loads(revision.read(TRAINING_FILE, "train"))["best"]
        return [
            f"{revision.name}: the weights of step {best['step']:,} were kept, with a validation "
            f"cross-entropy of {best['val_cross_entropy']:.3f}"
        ]
    except (InputError, ValueError, KeyError, TypeError):
        return []
