"""The gate of a pull request: smallest figures allowed, and largest significant drops allowed."""

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
from captioning.experiments.scored_runs import common_tokenizer, score_run, stale_figures
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
    """Check every floor; a missing figure does not pass.

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
    """Check every limit on drops, after checking that the figures belong to the captions.

    Raises:
        InputError: as `score_run`.
    """
    tokenizer = common_tokenizer([base, revision])
    before, after = score_run(base, base, tokenizer), score_run(revision, base, tokenizer)
    if stale := stale_figures(revision, after, tokenizer):
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
