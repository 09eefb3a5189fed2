"""Reads and scores the captions of the revisions that a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from captioning.evaluation.metrics import cut_into_words
from captioning.evaluation.predictions import Prediction
from captioning.evaluation.words import ScoringTokenizer
from captioning.experiments.comparison import Comparison, Experiment, compare
from captioning.experiments.revisions import Revision
from captioning.experiments.scored_runs import common_tokenizer, score_run, stale_figures
from captioning.experiments.significance import Run
from captioning.report.word_use import WordStatistics, word_statistics


@dataclass(frozen=True)
class ScoredCaptions:
    """The captions of one revision, in the order of the first revision's images.

    Attributes:
        revision: the revision.
        predictions: its captions.
        run: their scores.
        words: their words compared with those of the references.
    """

    revision: Revision
    predictions: Sequence[Prediction]
    run: Run
    words: WordStatistics


def score_revisions(
    revisions: Sequence[Revision], shown_words: int
) -> tuple[list[ScoredCaptions], Comparison | None, list[str]]:
    """Score the captions of revisions, with one tokenizer for all.

    Args:
        revisions: the revisions; the first is the baseline.
        shown_words: largest number of words in the lists of words.

    Returns:
        The captions of every revision; the comparison with the first, None for a single revision;
        and what to mind about the figures.

    Raises:
        InputError: a file can't be read, or the revisions have other images or references.
    """
    tokenizer = common_tokenizer(revisions)
    comparison = None
    if len(revisions) == 1:
        runs = [score_run(revisions[0], revisions[0], tokenizer)]
        notes = list(stale_figures(revisions[0]).values())
    else:
        experiments = [Experiment(revision.name, (revision,)) for revision in revisions]
        comparison = compare(experiments, len(revisions[0].predictions))
        runs = [group[0] for group in comparison.runs]
        notes = list(comparison.notes)
    order = [row.image_id for row in revisions[0].predictions]
    scored = [
        _scored(revision, order, run, tokenizer, shown_words)
        for revision, run in zip(revisions, runs, strict=True)
    ]
    return scored, comparison, notes


def _scored(
    revision: Revision, order: Sequence[str], run: Run, tokenizer: ScoringTokenizer, shown: int
) -> ScoredCaptions:
    by_image = {row.image_id: row for row in revision.predictions}
    rows = [by_image[image] for image in order]
    captions, references = cut_into_words(
        [row.caption for row in rows], [row.references for row in rows], tokenizer
    )
    return ScoredCaptions(revision, rows, run, word_statistics(captions, references, shown))


def largest_changes(captions: Sequence[ScoredCaptions]) -> list[float]:
    """For every image the largest change in CIDEr-D between the first revision and another.

    It is 0 for images whose captions are all the same; not finite changes count as 0.
    """
    first = captions[0]
    changes = [0.0] * len(first.predictions)
    for other in captions[1:]:
        differences = other.run.statistics.cider_d - first.run.statistics.cider_d
        for place, change in enumerate(differences.tolist()):
            if abs(change) > abs(changes[place]):  # False for NaN.
                changes[place] = change
    return changes
