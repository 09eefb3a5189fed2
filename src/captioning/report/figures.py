"""The figures of revisions as a report shows them: values with intervals, and their names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from captioning.core.errors import InputError
from captioning.evaluation.metrics import METRICS
from captioning.experiments.revisions import Revision
from captioning.experiments.significance import interval
from captioning.report.scored_captions import ScoredCaptions

SCORES_FILE = "data/scores.json"
METRIC_NAMES = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "cider_d": "CIDEr-D",
}
_NAMES = {
    "images": "images",
    "caption_length": "words in a caption, on average",
    "distinct_captions": "different captions",
    "distinct_words": "different words",
    "empty_captions": "empty captions",
    "share_not_in_training": "captions that no train image has word for word",
}
_GROUNDING = {
    "colour_shape_true": "some color and shape named together belong to an object",
    "colour_shape_all_true": "all colors and shapes named together belong to an object",
    "colour_true": "all colors are there",
    "shape_true": "all shapes are there",
    "size_true": "all sizes are right",
    "count_true": "all numbers are right",
    "relation_true": "the relation is right",
    "attention_peak_in_box": "attention lies on the object that is named",
    "attention_peak_in_box_by_chance": "the same with the attention of other images",
    "attention_cell_in_box": "the strongest cell lies on the object that is named",
    "attention_words": "words that name an object",
}
_GROUPS = {
    "_seen": "in combinations that occur in training",
    "_held_out": "in new combinations",
}
_SCENES = "grounding."
_WIDTH = 200


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval; None where they are not defined.

    Attributes:
        value, low, high: figure and ends of the interval.
        places: value, low and high as positions on a line of 200 units; None if one is missing.
    """

    value: float | None
    low: float | None
    high: float | None
    places: Sequence[float] | None = None


@dataclass(frozen=True)
class Row:
    """One figure of all revisions.

    Attributes:
        name: what it is, for people.
        values: its value in every revision.
        part: whether it is the figure above it, for some of the images.
    """

    name: str
    values: Sequence[Any]
    part: bool = False


def metric_rows(captions: Sequence[ScoredCaptions]) -> tuple[list[Row], list[str]]:
    """The metrics of every revision with their intervals, and notes about where they are from.

    The values are those of metrics/evaluate.json. The intervals of a single revision are those of
    data/scores.json. Those of several revisions are computed from the same resamples of the images,
    so that they can be compared.

    Raises:
        InputError: a file can't be read.
    """
    stored: Mapping[str, Any] = {}
    notes: list[str] = []
    if len(captions) == 1:
        stored, notes = _stored_intervals(captions[0].revision)
    rows = []
    for metric in METRICS:
        estimates = [_estimate(scored, metric, stored) for scored in captions]
        rows.append(Row(METRIC_NAMES[metric], _placed(estimates)))
    return rows, notes


def _estimate(scored: ScoredCaptions, metric: str, stored: Mapping[str, Any]) -> Estimate:
    value = scored.revision.figures.get(metric, scored.run.metrics[metric])
    if metric in stored:
        low, high = stored[metric]
    else:
        low, high = interval(scored.run.resampled[metric])
    return Estimate(_defined(value), _defined(low), _defined(high))


def _defined(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _placed(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Estimates with their places on one line.

    The line of a single estimate begins at 0 and ends at 1, or at the next whole number above it.
    That of several spans their intervals, so that one sees whether they overlap.
    """
    lows = [estimate.low for estimate in estimates if estimate.low is not None]
    highs = [estimate.high for estimate in estimates if estimate.high is not None]
    if not lows or not highs:
        return list(estimates)
    begin, end = 0.0, float(max(1, math.ceil(max(highs))))
    if len(estimates) > 1:
        begin, end = min(lows), max(highs)
        end += end == begin
    placed = []
    for estimate in estimates:
        numbers = (estimate.value, estimate.low, estimate.high)
        places = [
            round(_WIDTH * (number - begin) / (end - begin), 2)
            for number in numbers
            if number is not None
        ]
        placed.append(replace(estimate, places=places if len(places) == len(numbers) else None))
    return placed


def _stored_intervals(revision: Revision) -> tuple[dict[str, tuple[Any, Any]], list[str]]:
    """The ends of the intervals in data/scores.json; none, with a note, where it is missing."""
    try:
        content = revision.read(SCORES_FILE)
    except InputError as error:
        return {}, [f"{error}; the intervals are computed from the captions instead"]
    try:
        scores = json.loads(content)
        return {metric: (scores[metric]["low"], scores[metric]["high"]) for metric in METRICS}, []
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{revision.place(SCORES_FILE)} does not hold the intervals of the metrics: "
            "run `dvc repro evaluate`"
        ) from None


def other_rows(captions: Sequence[ScoredCaptions], *, scenes: bool) -> list[Row]:
    """The other figures of metrics/evaluate.json.

    Args:
        captions: the captions of all revisions.
        scenes: whether those of drawn scenes are wanted, or all others.
    """
    figures = [scored.revision.figures for scored in captions]
    keys = {
        key
        for each in figures
        for key in each
        if key not in METRICS
        and not key.startswith("interval.")
        and key.startswith(_SCENES) == scenes
    }
    return [
        Row(_name(key), [_number(each.get(key)) for each in figures], part=_group(key) is not None)
        for key in sorted(keys, key=_order)
    ]


def _order(key: str) -> tuple[int, str]:
    """Known figures in the order of their names above, then the others by their keys."""
    known = list(_NAMES)
    for name in _GROUNDING:
        known += [f"{_SCENES}{name}{group}" for group in ("", *_GROUPS)]
    return (known.index(key) if key in known else len(known)), key


def _group(key: str) -> str | None:
    """The end of the key of a figure that is for some of the images only."""
    name = key.removeprefix(_SCENES)
    ends = (end for end in _GROUPS if name.removesuffix(end) in _GROUNDING and name.endswith(end))
    return next(ends, None)


def _name(key: str) -> str:
    """A figure's name for people; its key if it has none."""
    if group := _group(key):
        return _GROUPS[group]
    return _GROUNDING.get(key.removeprefix(_SCENES)) or _NAMES.get(key, key)


def _number(value: float | None) -> float | None:
    """A figure; None where it is missing or not finite."""
    return value if value is not None and math.isfinite(value) else None
