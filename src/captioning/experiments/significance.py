"""Paired tests of whether one system is better than another on the same images.

A system is one trained captioner, or several from different seeds, which are represented by their
mean.

- Interval: paired bootstrap. Both systems are scored on the same resampled images.
- p-value: paired approximate randomization as in sacrebleu, two-sided. If the systems were alike,
  the captions of each image could be exchanged between them; p is the share of random exchanges
  that give a difference at least as large. sacrebleu counts only larger differences, so that two
  systems that differ in a single caption are significantly different. Here ties count, and equal
  systems have p = 1.

If very few captions changed, the interval may exclude 0 although p is not significant. Then p
decides, because it is exact.

Both measure how much the difference depends on the choice of the test images. How much it depends
on the random seed of training can only be measured with several runs: see `seed_margin`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from captioning.evaluation.metrics import METRICS, ImageStatistics, aggregate, bootstrap

LEVEL = 0.05
RESAMPLES = 1000
EXCHANGES = 5000
SEED = 1
# Rounding errors are smaller than this; real differences between metrics are larger.
_TIE = 1e-9
# 97.5% quantiles of Student's t distribution with 1, 2, … degrees of freedom.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class Run:
    """The scores of one run's captions.

    Attributes:
        statistics: statistics of every image.
        metrics: metrics over all images.
        resampled: metrics over `RESAMPLES` resamples of the images, which are the same for all
            runs.
    """

    statistics: ImageStatistics
    metrics: Mapping[str, float]
    resampled: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, statistics: ImageStatistics) -> Run:
        """Score one run."""
        return cls(statistics, aggregate(statistics), bootstrap(statistics, RESAMPLES, SEED))


@dataclass(frozen=True)
class Difference:
    """How a metric differs between two systems.

    Attributes:
        value: second minus first; negative for a drop. NaN if the metric is not defined.
        low: lower end of its 95% interval over images; NaN for a single image.
        high: upper end of its 95% interval over images; NaN for a single image.
        p: two-sided p-value over images; NaN if the metric is not defined.
        seed_margin: half-width of the 95% interval over seeds; None without several runs.
    """

    value: float
    low: float
    high: float
    p: float
    seed_margin: float | None

    @property
    def significant(self) -> bool:
        """Whether neither the choice of images nor, if known, that of seeds explains it."""
        return self.p < LEVEL and not self.within_seeds

    @property
    def within_seeds(self) -> bool:
        """Whether other seeds explain the difference."""
        return self.seed_margin is not None and abs(self.value) <= self.seed_margin

    @property
    def verdict(self) -> str:
        """`significant`, or the reason why it is not."""
        if math.isnan(self.value):
            return "not defined"
        if self.p >= LEVEL:
            return "not significant"
        return "within the spread of seeds" if self.within_seeds else "significant"


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95% percentile interval of resampled values; NaN if they are NaN."""
    low, high = np.percentile(values, [2.5, 97.5]).tolist()
    return low, high


def mean_resampled(runs: Sequence[Run], metric: str) -> NDArray[np.float64]:
    """A metric's mean over runs, for every resample: float64 [RESAMPLES]."""
    resampled: NDArray[np.float64] = np.stack([run.resampled[metric] for run in runs])
    return np.asarray(resampled.mean(axis=0))


def mean(runs: Sequence[Run], metric: str) -> float:
    """A metric's mean over runs."""
    return math.fsum(run.metrics[metric] for run in runs) / len(runs)


def spread(runs: Sequence[Run], metric: str) -> float | None:
    """A metric's standard deviation over runs (sample, n - 1); None for a single run."""
    if len(runs) == 1:
        return None
    return float(np.std([run.metrics[metric] for run in runs], ddof=1))


def seed_margin(before: Sequence[Run], after: Sequence[Run], metric: str) -> float | None:
    """Half-width of the 95% interval over seeds of the difference of two means.

    Student's t interval with one variance for both systems, so that one run can be compared with
    several. None if neither system has several runs.
    """
    freedom = len(before) + len(after) - 2
    if not freedom:
        return None
    squares = [(spread(runs, metric) or 0.0) ** 2 * (len(runs) - 1) for runs in (before, after)]
    error = math.sqrt(sum(squares) / freedom * (1 / len(before) + 1 / len(after)))
    return _student(freedom) * error


def paired_differences(before: Sequence[Run], after: Sequence[Run]) -> dict[str, Difference]:
    """The difference of every metric of `METRICS` between two systems.

    Args:
        before: runs of the first system, all on the same images in the same order.
        after: runs of the second system, on the same images.
    """
    exchanged = _exchanged_differences(before, after)
    differences: dict[str, Difference] = {}
    for metric in METRICS:
        value = mean(after, metric) - mean(before, metric)
        low, high = interval(mean_resampled(after, metric) - mean_resampled(before, metric))
        as_large = int((np.abs(exchanged[metric]) >= abs(value) - _TIE).sum())
        # The observed assignment is one of the exchanges: p is never 0.
        p = math.nan if math.isnan(value) else (as_large + 1) / (EXCHANGES + 1)
        differences[metric] = Difference(value, low, high, p, seed_margin(before, after, metric))
    return differences


def _exchanged_differences(
    before: Sequence[Run], after: Sequence[Run]
) -> dict[str, NDArray[np.float64]]:
    """Differences after exchanging each image's captions among all runs: float64 [EXCHANGES]."""
    runs = [*before, *after]
    images = len(runs[0].statistics)
    # Row r * images + i belongs to run r and image i.
    pool = ImageStatistics(
        *(
            np.concatenate([getattr(run.statistics, field.name) for run in runs])
            for field in fields(ImageStatistics)
        )
    )
    random = np.random.default_rng(SEED)
    unmixed = np.tile(np.arange(len(runs)), (images, 1))
    differences = np.empty((EXCHANGES, len(METRICS)))
    for trial in range(EXCHANGES):
        sources = random.permuted(unmixed, axis=1)
        mixed = [
            list(aggregate(pool, sources[:, run] * images + np.arange(images)).values())
            for run in range(len(runs))
        ]
        new, old = np.array(mixed[len(before) :]), np.array(mixed[: len(before)])
        differences[trial] = new.mean(axis=0) - old.mean(axis=0)
    return dict(zip(METRICS, differences.T, strict=True))


def _student(freedom: int) -> float:
    """97.5% quantile of Student's t distribution."""
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    return 1.96 + 2.37 / freedom + 2.82 / freedom**2  # Cornish-Fisher, error below 0.003.
