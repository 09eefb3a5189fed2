"""Compares experiments with a baseline: params, metrics, differences, images that changed most.

An experiment is one revision, or several that differ only in the seed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.evaluation.metrics import METRICS, undefined_notes
from captioning.evaluation.words import ScoringTokenizer
from captioning.experiments.revisions import Revision
from captioning.experiments.scored_runs import (
    common_tokenizer,
    own_tokenizer,
    score_run,
    stale_figures,
)
from captioning.experiments.significance import Difference, Run, paired_differences


@dataclass(frozen=True)
class Experiment:
    """One revision, or several that differ only in the seed, under one name."""

    name: str
    revisions: tuple[Revision, ...]


@dataclass(frozen=True)
class ChangedImage:
    """An image that the experiment captions differently from the baseline.

    Attributes:
        image_id: id in the raw table.
        before: distinct captions by the baseline's revisions.
        after: distinct captions by the experiment's revisions.
        cider_d_before: mean CIDEr-D of the baseline's captions; NaN if it is not defined.
        cider_d_after: mean CIDEr-D of the experiment's captions; NaN if it is not defined.
    """

    image_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    cider_d_before: float
    cider_d_after: float

    @property
    def change(self) -> float:
        """Change in CIDEr-D; negative for a drop."""
        return self.cider_d_after - self.cider_d_before


@dataclass(frozen=True)
class BaselineDelta:
    """How an experiment differs from the baseline.

    Attributes:
        differences: difference of every metric.
        changed: the images whose CIDEr-D changed most, largest change first.
        changed_total: number of images with different captions.
    """

    differences: Mapping[str, Difference]
    changed: tuple[ChangedImage, ...]
    changed_total: int


@dataclass(frozen=True)
class Comparison:
    """Everything that a report shows; sequences are in the order of `experiments`.

    Attributes:
        experiments: the experiments compared; the first is the baseline.
        images: number of images in the test split.
        runs: scored runs of every experiment, one for each revision.
        params: for every param that differs, its values in every experiment.
        figures: for every figure of metrics/evaluate.json that is not recomputed here, its values
            in every experiment; None where it is missing.
        deltas: differences from the baseline, one for each of the other experiments.
        notes: warnings about the comparison.
    """

    experiments: tuple[Experiment, ...]
    images: int
    runs: tuple[tuple[Run, ...], ...]
    params: Mapping[str, tuple[tuple[Any, ...], ...]]
    figures: Mapping[str, tuple[tuple[float | None, ...], ...]]
    deltas: tuple[BaselineDelta, ...]
    notes: tuple[str, ...]


def compare(experiments: Sequence[Experiment], images: int) -> Comparison:
    """Compare every experiment with the first.

    Metrics and intervals are recomputed from the captions, with the same code and the same
    tokenizer (`common_tokenizer`) for all revisions.

    Args:
        experiments: the baseline, then the others.
        images: number of changed images to keep for each experiment.

    Raises:
        InputError: a file can't be read, or the revisions do not have the same images and
            references.
    """
    baseline = experiments[0].revisions[0]
    tokenizer = common_tokenizer([revision for e in experiments for revision in e.revisions])
    runs = tuple(
        tuple(score_run(revision, baseline, tokenizer) for revision in experiment.revisions)
        for experiment in experiments
    )
    deltas = [
        _delta(baseline, experiments[0], runs[0], experiment, its_runs, images)
        for experiment, its_runs in zip(experiments[1:], runs[1:], strict=True)
    ]
    return Comparison(
        experiments=tuple(experiments),
        images=len(baseline.predictions),
        runs=runs,
        params=_differing(experiments),
        figures=_figures(experiments),
        deltas=tuple(deltas),
        notes=tuple(_notes(experiments, runs[0][0], tokenizer)),
    )


def _delta(
    baseline: Revision,
    first: Experiment,
    before: Sequence[Run],
    experiment: Experiment,
    after: Sequence[Run],
    images: int,
) -> BaselineDelta:
    """One experiment's difference from the first; per-image arrays are in `baseline`'s order."""
    ids = [row.image_id for row in baseline.predictions]
    old_captions, new_captions = _captions(first), _captions(experiment)
    changed = [
        ChangedImage(image, old_captions[image], new_captions[image], old, new)
        for image, old, new in zip(ids, _cider_d(before), _cider_d(after), strict=True)
        if old_captions[image] != new_captions[image]
    ]
    changed.sort(key=_largest_change_first)
    return BaselineDelta(paired_differences(before, after), tuple(changed[:images]), len(changed))


def _largest_change_first(image: ChangedImage) -> tuple[float, str]:
    change = 0.0 if math.isnan(image.change) else abs(image.change)
    return -round(change, 9), image.image_id


def _cider_d(runs: Sequence[Run]) -> list[float]:
    """Mean CIDEr-D over runs, image by image."""
    scores = np.stack([run.statistics.cider_d for run in runs])
    return [float(score) for score in scores.mean(axis=0)]


def _captions(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """The distinct captions of every image by an experiment's revisions, in their order."""
    found: dict[str, dict[str, None]] = {}
    for revision in experiment.revisions:
        for row in revision.predictions:
            found.setdefault(row.image_id, {})[row.caption] = None
    return {image: tuple(captions) for image, captions in found.items()}


def _differing(experiments: Sequence[Experiment]) -> dict[str, tuple[tuple[Any, ...], ...]]:
    """Params that differ between revisions; None where a revision does not have one."""
    values = _by_key([[revision.params for revision in e.revisions] for e in experiments])
    return {
        key: row
        for key, row in values.items()
        if len({json.dumps(value, default=str) for group in row for value in group}) > 1
    }


def _figures(experiments: Sequence[Experiment]) -> dict[str, tuple[tuple[float | None, ...], ...]]:
    """Figures of metrics/evaluate.json that are not recomputed here; None if not finite."""
    values = _by_key([[_finite(revision.figures) for revision in e.revisions] for e in experiments])
    return {
        key: row
        for key, row in values.items()
        if key not in METRICS and not key.startswith("interval.")
    }


def _finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in figures.items()}


def _by_key(
    groups: Sequence[Sequence[Mapping[str, Any]]],
) -> dict[str, tuple[tuple[Any, ...], ...]]:
    """The values of every key, group by group."""
    keys = dict.fromkeys(key for group in groups for mapping in group for key in mapping)
    return {
        key: tuple(tuple(mapping.get(key) for mapping in group) for group in groups) for key in keys
    }


def _notes(
    experiments: Sequence[Experiment], baseline: Run, tokenizer: ScoringTokenizer
) -> Iterator[str]:
    """Name metrics that are not defined, other tokenizers, stale figures and mixed groups."""
    yield from undefined_notes(baseline.metrics)
    for experiment in experiments:
        for revision in experiment.revisions:
            if (own := own_tokenizer(revision)) != tokenizer:
                yield (
                    f"{revision.name} was evaluated with {own}; here all revisions are compared "
                    f"with {tokenizer}"
                )
            yield from stale_figures(revision).values()
        others = [key for key in _differing([experiment]) if key.split(".")[-1] != "seed"]
        if others:
            yield (
                f"the revisions of {experiment.name} differ in more than the seed "
                f"({', '.join(others)}), so their spread shows more than the effect of the seed"
            )
