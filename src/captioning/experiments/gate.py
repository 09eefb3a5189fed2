"""The gate of a pull request: floors of figures, and drops that are too large to be noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from captioning.core.errors import InputError
from captioning.evaluation.metrics import Metric
from captioning.experiments.as_text import gain
from captioning.experiments.revisions import FIGURES, Revision
from captioning.experiments.scored_runs import common_text, score_run, stale_figures
from captioning.experiments.significance import Difference, paired_differences
from captioning.params.schema import Section, load_section


class Limits(Section):
    """The schema of gate.yaml.

    Attributes:
        floors: of a figure of metrics/evaluate.json, by its dotted key: the least that passes.
        largest_significant_drop: of a metric against the base revision: the largest significant
            drop that passes, in the metric's own unit (shares, not points).
    """

    floors: dict[str, float] = Field(default_factory=dict)
    largest_significant_drop: dict[Metric, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict
    )


@dataclass(frozen=True)
class Check:
    """One limit, held against what was found.

    Attributes:
        passed: whether it holds.
        reason: a line that says what was found and what is asked.
    """

    passed: bool
    reason: str


def load_limits(path: Path | str) -> Limits:
    """Read and check a file of limits.

    Raises:
        InputError: as `load_section`: any unknown key or impossible value, by name; or the file
            sets no limit.
    """
    limits = load_section(path, Limits)
    if not limits.floors and not limits.largest_significant_drop:
        raise InputError(f"{path} sets no limit: give floors or largest_significant_drop")
    return limits


def floor_checks(limits: Limits, revision: Revision) -> Iterator[Check]:
    """One check for each floor; a figure that is missing doesn't pass.

    Raises:
        InputError: metrics/evaluate.json can't be read.
    """
    for key, floor in limits.floors.items():
        value = revision.figures.get(key)
        if value is None:
            yield Check(False, f"{key}: {FIGURES} of {revision.name} holds no such number")
        elif value < floor:
            yield Check(False, f"{key}: {value:.6g} is below the floor of {floor:g}")
        else:
            yield Check(True, f"{key}: {value:.6g} is at least {floor:g}")


def drop_checks(limits: Limits, base: Revision, revision: Revision) -> Iterator[Check]:
    """One check for each limited drop, after one that the figures are those of the captions.

    Raises:
        InputError: as `score_run`.
    """
    text = common_text([base, revision])
    before, after = score_run(base, base, text), score_run(revision, base, text)
    if stale := stale_figures(revision, after, text):
        yield Check(False, stale)
    differences = paired_differences([before], [after])
    for metric, allowed in limits.largest_significant_drop.items():
        yield _drop_check(metric, differences[metric], allowed, base.name)


def _drop_check(metric: str, difference: Difference, allowed: float, base: str) -> Check:
    found = f"{metric}: {gain(difference)} against {base}, p = {difference.p:.4f}"
    if difference.value >= 0:
        return Check(True, f"{found}: no drop")
    if not difference.significant:
        return Check(True, f"{found}: the drop is not significant")
    if -difference.value <= allowed:
        return Check(True, f"{found}: the drop is at most the allowed {allowed:g}")
    return Check(False, f"{found}: a significant drop of more than {allowed:g}")
