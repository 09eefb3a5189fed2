"""Experiments held against a baseline: params, metrics, differences, images that changed most.

An experiment is one revision, or several that differ in the seed alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.evaluation.metrics import METRICS
from captioning.evaluation.words import ScoredText
from captioning.experiments.revisions import Revision
from captioning.experiments.scored_runs import common_text, own_text, score_run, stale_figures
from captioning.experiments.significance import Difference, Run, paired_differences


@dataclass(frozen=True)
class Experiment:
    """One revision, or several that differ in the seed alone, under one name."""

    name: str
    revisions: tuple[Revision, ...]


@dataclass(frozen=True)
class ChangedImage:
    """An image whose captions changed.

    Attributes:
        image_id: as in the raw table.
        before: the baseline's captions, one a revision, each once.
        after: the experiment's.
        cider_d_before: mean CIDEr-D of the baseline's captions.
        cider_d_after: of the experiment's.
    """

    image_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    cider_d_before: float
    cider_d_after: float

    @property
    def change(self) -> float:
        """Gain in CIDEr-D; negative for a drop."""
        return self.cider_d_after - self.cider_d_before


@dataclass(frozen=True)
class Against:
    """An experiment against the baseline.

    Attributes:
        differences: of every metric.
        changed: the images that changed most, first the largest change.
        changed_total: how many images have other captions.
    """

    differences: Mapping[str, Difference]
    changed: tuple[ChangedImage, ...]
    changed_total: int


@dataclass(frozen=True)
class Comparison:
    """Everything a report shows; sequences follow `experiments`, the baseline first.

    Attributes:
        experiments: what is compared.
        images: how many images the test split has.
        runs: the scored runs of every experiment, one a revision.
        params: of every param that differs, its values in every experiment.
        figures: of every other figure of metrics/evaluate.json, its values; None where it lacks.
        against: every experiment but the baseline.
        notes: what to know before trusting the figures.
    """

    experiments: tuple[Experiment, ...]
    images: int
    runs: tuple[tuple[Run, ...], ...]
    params: Mapping[str, tuple[tuple[Any, ...], ...]]
    figures: Mapping[str, tuple[tuple[float | None, ...], ...]]
    against: tuple[Against, ...]
    notes: tuple[str, ...]


def compare(experiments: Sequence[Experiment], images: int) -> Comparison:
    """Hold every experiment against the first; show at most `images` changed images of each.

    Metrics and intervals are computed anew from the captions, by one code and one way of finding
    words (`common_text`) for all revisions.

    Raises:
        InputError: something can't be read, or the revisions are not of the same images and
            references.
    """
    baseline = experiments[0].revisions[0]
    text = common_text([revision for e in experiments for revision in e.revisions])
    runs = tuple(
        tuple(score_run(revision, baseline, text) for revision in experiment.revisions)
        for experiment in experiments
    )
    against = [
        _against(baseline, experiments[0], runs[0], experiment, those, images)
        for experiment, those in zip(experiments[1:], runs[1:], strict=True)
    ]
    return Comparison(
        experiments=tuple(experiments),
        images=len(baseline.predictions),
        runs=runs,
        params=_differing(experiments),
        figures=_figures(experiments),
        against=tuple(against),
        notes=tuple(_notes(experiments, runs, text)),
    )


def _against(
    baseline: Revision,
    first: Experiment,
    before: Sequence[Run],
    experiment: Experiment,
    after: Sequence[Run],
    images: int,
) -> Against:
    """One experiment against the baseline; arrays follow the images of the revision `baseline`."""
    ids = [row.image_id for row in baseline.predictions]
    old_captions, new_captions = _captions(first), _captions(experiment)
    changed = [
        ChangedImage(image, old_captions[image], new_captions[image], old, new)
        for image, old, new in zip(ids, _cider_d(before), _cider_d(after), strict=True)
        if old_captions[image] != new_captions[image]
    ]
    changed.sort(key=lambda image: (-round(abs(image.change), 9), image.image_id))
    return Against(paired_differences(before, after), tuple(changed[:images]), len(changed))


def _cider_d(runs: Sequence[Run]) -> list[float]:
    """Mean CIDEr-D over runs, image by image."""
    scores = np.stack([run.statistics.cider_d for run in runs])
    return [float(score) for score in scores.mean(axis=0)]


def _captions(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """What an experiment's revisions say of every image, each caption once."""
    said: dict[str, dict[str, None]] = {}
    for revision in experiment.revisions:
        for row in revision.predictions:
            said.setdefault(row.image_id, {})[row.caption] = None
    return {image: tuple(captions) for image, captions in said.items()}


def _differing(experiments: Sequence[Experiment]) -> dict[str, tuple[tuple[Any, ...], ...]]:
    """Params that are not the same in all revisions; None where a revision lacks one."""
    values = _by_key([[revision.params for revision in e.revisions] for e in experiments])
    return {
        key: row
        for key, row in values.items()
        if len({json.dumps(value, default=str) for group in row for value in group}) > 1
    }


def _figures(experiments: Sequence[Experiment]) -> dict[str, tuple[tuple[float | None, ...], ...]]:
    """Figures of metrics/evaluate.json that are not computed here."""
    values = _by_key([[revision.figures for revision in e.revisions] for e in experiments])
    return {
        key: row
        for key, row in values.items()
        if key not in METRICS and not key.startswith("interval.")
    }


def _by_key(
    groups: Sequence[Sequence[Mapping[str, Any]]],
) -> dict[str, tuple[tuple[Any, ...], ...]]:
    """Of every key its values, group by group."""
    keys = dict.fromkeys(key for group in groups for mapping in group for key in mapping)
    return {
        key: tuple(tuple(mapping.get(key) for mapping in group) for group in groups) for key in keys
    }


def _notes(
    experiments: Sequence[Experiment], runs: Sequence[Sequence[Run]], text: ScoredText
) -> Iterator[str]:
    """Figures that are of other words or captions, groups that differ in more than seeds."""
    for experiment, those in zip(experiments, runs, strict=True):
        for revision, run in zip(experiment.revisions, those, strict=True):
            if (own := own_text(revision)) != text:
                yield (
                    f"{revision.name} was evaluated by other words ({own}) than those that all are "
                    f"compared by here ({text})"
                )
            if note := stale_figures(revision, run, text):
                yield note
        others = [key for key in _differing([experiment]) if key.split(".")[-1] != "seed"]
        if others:
            yield (
                f"the revisions of {experiment.name} differ in more than the seed "
                f"({', '.join(others)}), and so does their spread"
            )
