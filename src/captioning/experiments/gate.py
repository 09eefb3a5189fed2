"""The gate of a pull request: smallest figures allowed, and largest significant drops allowed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from captioning.core.errors import InputError
from captioning.evaluation.metrics import Metric
from captioning.experiments.as_text import gain
from captioning.experiments.revisions import FIGURES, PREDICTIONS, Revision
from captioning.experiments.scored_runs import (
    common_tokenizer,
    recomputed_figures,
    score_run,
    stale_figures,
)
from captioning.experiments.significance import Difference, paired_differences
from captioning.params.schema import Section, load_section


class Limits(Section):
    """The schema of gate.yaml.

    Attributes:
        floors: smallest value that passes, for figures of metrics/evaluate.json by dotted key.
        largest_significant_drop: largest significant drop from the base revision that passes, for
            each metric in its own unit (shares, not points).
    """

    floors: dict[str, float] = Field(default_factory=dict)
    largest_significant_drop: dict[Metric, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Check:
    """The outcome of checking one limit.

    Attributes:
        passed: whether the limit holds.
        reason: one line that says what was found and what the limit is.
    """

    passed: bool
    reason: str


def load_limits(path: Path | str) -> Limits:
    """Read and check a file of limits.

    Raises:
        InputError: as `load_section`, for any unknown key or impossible value; or the file sets
            no limit.
    """
    limits = load_section(path, Limits)
    if not limits.floors and not limits.largest_significant_drop:
        raise InputError(f"{path} sets no limit: give floors or largest_significant_drop")
    return limits


def floor_checks(limits: Limits, revision: Revision) -> Iterator[Check]:
    """Check every floor, and that the figures belong to the captions.

    A figure that is missing, not finite or not defined does not pass.

    Raises:
        InputError: metrics/evaluate.json or the captions can't be read.
    """
    recomputed, stale = recomputed_figures(revision), stale_figures(revision)
    for key, floor in limits.floors.items():
        check = _floor_check(key, floor, revision, recomputed)
        yield check if not check.passed or key not in stale else Check(False, stale[key])
    for key, message in stale.items():
        if key not in limits.floors:
            yield Check(False, message)


def _floor_check(
    key: str, floor: float, revision: Revision, recomputed: Mapping[str, float | None]
) -> Check:
    value = revision.figures.get(key)
    place = f"{FIGURES} of {revision.name}"
    if key in recomputed and recomputed[key] is None:
        return Check(False, f"{key}: not defined for the captions of {revision.name}")
    if value is None:
        return Check(False, f"{key}: {place} holds no such number")
    if not math.isfinite(value):
        return Check(False, f"{key}: {place} says {value}, which is not a finite number")
    if key not in recomputed and key.startswith("grounding."):
        return Check(
            False,
            f"{key}: it can't be checked, because {PREDICTIONS} of {revision.name} says nothing of "
            "the objects in the pictures: run `dvc repro evaluate` there",
        )
    if value < floor:
        return Check(False, f"{key}: {value:.6g} is below the floor of {floor:g}")
    # For example share_not_in_training: it needs the captions of the train split.
    trust = "" if key in recomputed else "; as recorded, not computed again"
    return Check(True, f"{key}: {value:.6g} is at least {floor:g}{trust}")


def drop_checks(limits: Limits, base: Revision, revision: Revision) -> Iterator[Check]:
    """Check every limit on drops, and that the base's figures belong to its captions.

    Metrics of both revisions are computed from their captions.

    Raises:
        InputError: as `score_run`; or metrics/evaluate.json of the base can't be read.
    """
    tokenizer = common_tokenizer([base, revision])
    before, after = score_run(base, base, tokenizer), score_run(revision, base, tokenizer)
    for message in stale_figures(base).values():
        yield Check(False, message)
    differences = paired_differences([before], [after])
    for metric, allowed in limits.largest_significant_drop.items():
        yield _drop_check(metric, differences[metric], allowed, base.name)


def _drop_check(metric: str, difference: Difference, allowed: float, base: str) -> Check:
    if math.isnan(difference.value):
        return Check(False, f"{metric}: not defined for these images, so a drop can't be measured")
    found = f"{metric}: {gain(difference)} against {base}, p = {difference.p:.4f}"
    if difference.value >= 0:
        return Check(True, f"{found}: no drop")
    if not difference.significant:
        return Check(True, f"{found}: the drop is not significant")
    if -difference.value <= allowed:
        return Check(True, f"{found}: the drop is at most the allowed {allowed:g}")
    return Check(False, f"{found}: a significant drop of more than {allowed:g}")
