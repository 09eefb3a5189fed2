"""Formats a comparison as one JSON document, with numbers rounded to six digits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from captioning.evaluation.metrics import METRICS
from captioning.experiments.comparison import ChangedImage, Comparison
from captioning.experiments.significance import (
    EXCHANGES,
    LEVEL,
    RESAMPLES,
    SEED,
    Difference,
    Run,
    interval,
    mean,
    mean_resampled,
    spread,
)

_DIGITS = 6
_METHOD = (
    f"Intervals: 95%, paired bootstrap over images, {RESAMPLES} resamples. p: two-sided paired "
    f"approximate randomization, {EXCHANGES} exchanges. Seed {SEED}; significant: p < {LEVEL}"
)
_SEEDS = (
    ", and the difference is larger than the 95% margin over seeds (Student's t). ±: standard "
    "deviation over seeds"
)


def as_json(comparison: Comparison) -> str:
    """Format a comparison; params and other figures are lists with one value for each revision."""
    document = {
        "images": comparison.images,
        "experiments": [
            {
                "name": experiment.name,
                "revisions": [
                    {"name": revision.name, "commit": revision.commit}
                    for revision in experiment.revisions
                ],
                "metrics": {metric: _metric_values(runs, metric) for metric in METRICS},
                "params": {key: row[index] for key, row in comparison.params.items()},
                "figures": {key: row[index] for key, row in comparison.figures.items()},
            }
            for index, (experiment, runs) in enumerate(
                zip(comparison.experiments, comparison.runs, strict=True)
            )
        ],
        "against_baseline": [
            {
                "name": experiment.name,
                "differences": {
                    metric: _difference_values(difference)
                    for metric, difference in delta.differences.items()
                },
                "changed_images": delta.changed_total,
                "changed_most": [_image_values(image) for image in delta.changed],
            }
            for experiment, delta in zip(comparison.experiments[1:], comparison.deltas, strict=True)
        ],
        "method": method(comparison),
        "notes": list(comparison.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, default=str)


def method(comparison: Comparison) -> str:
    """How the intervals and p-values were computed, in a sentence or two."""
    several = any(len(experiment.revisions) > 1 for experiment in comparison.experiments)
    return f"{_METHOD}{_SEEDS if several else ''}."


def _metric_values(runs: Sequence[Run], metric: str) -> dict[str, Any]:
    low, high = interval(mean_resampled(runs, metric))
    deviation = spread(runs, metric)
    return {
        "value": round(mean(runs, metric), _DIGITS),
        "low": round(low, _DIGITS),
        "high": round(high, _DIGITS),
        "standard_deviation": None if deviation is None else round(deviation, _DIGITS),
        "runs": [round(run.metrics[metric], _DIGITS) for run in runs],
    }


def _difference_values(difference: Difference) -> dict[str, Any]:
    margin = difference.seed_margin
    return {
        "value": round(difference.value, _DIGITS),
        "low": round(difference.low, _DIGITS),
        "high": round(difference.high, _DIGITS),
        "p": round(difference.p, _DIGITS),
        "seed_margin": None if margin is None else round(margin, _DIGITS),
        "significant": difference.significant,
        "verdict": difference.verdict,
    }


def _image_values(image: ChangedImage) -> dict[str, Any]:
    return {
        "image_id": image.image_id,
        "before": list(image.before),
        "after": list(image.after),
        "cider_d_before": round(image.cider_d_before, _DIGITS),
        "cider_d_after": round(image.cider_d_after, _DIGITS),
    }
