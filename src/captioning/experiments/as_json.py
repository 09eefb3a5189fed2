"""Formats a comparison as one JSON document; what is not defined is null.

Numbers are rounded to six digits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from captioning.evaluation.metrics import METRICS
from captioning.evaluation.scoring import rounded
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
                "params": {
                    key: [_param(value) for value in row[index]]
                    for key, row in comparison.params.items()
                },
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
    return json.dumps(document, indent=2, ensure_ascii=False, default=str, allow_nan=False)


def _param(value: Any) -> Any:
    """A param's value; as text if it is a number that JSON lacks."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def method(comparison: Comparison) -> str:
    """How the intervals and p-values were computed, in a sentence or two."""
    several = any(len(experiment.revisions) > 1 for experiment in comparison.experiments)
    return f"{_METHOD}{_SEEDS if several else ''}."


def _metric_values(runs: Sequence[Run], metric: str) -> dict[str, Any]:
    low, high = interval(mean_resampled(runs, metric))
    deviation = spread(runs, metric)
    return {
        "value": rounded(mean(runs, metric)),
        "low": rounded(low),
        "high": rounded(high),
        "standard_deviation": None if deviation is None else rounded(deviation),
        "runs": [rounded(run.metrics[metric]) for run in runs],
    }


def _difference_values(difference: Difference) -> dict[str, Any]:
    margin = difference.seed_margin
    return {
        "value": rounded(difference.value),
        "low": rounded(difference.low),
        "high": rounded(difference.high),
        "p": rounded(difference.p),
        "seed_margin": None if margin is None else rounded(margin),
        "significant": difference.significant,
        "verdict": difference.verdict,
    }


def _image_values(image: ChangedImage) -> dict[str, Any]:
    return {
        "image_id": image.image_id,
        "before": list(image.before),
        "after": list(image.after),
        "cider_d_before": rounded(image.cider_d_before),
        "cider_d_after": rounded(image.cider_d_after),
    }
