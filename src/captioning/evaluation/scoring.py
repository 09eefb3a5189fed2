"""The scores of a split's captions: figures, 95% intervals, and how they were computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from captioning.evaluation.metrics import (
    DEFAULT_TOKENIZER,
    ImageStatistics,
    aggregate,
    bootstrap,
    cut_into_words,
    plain_bleu,
    undefined_notes,
    word_statistics,
)
from captioning.evaluation.words import ScoringTokenizer

# Sums of floats may differ in the last bits between processors; reports must not.
_DIGITS = 6
# Train captions that are in memory at once.
_CHUNK = 100_000


class Scores(NamedTuple):
    """The scores of a split.

    Attributes:
        figures: what metrics/evaluate.json holds.
        intervals: what data/scores.json holds: for every metric its `value` and the ends `low` and
            `high` of its 95% percentile interval, and `signature`: how all this was computed. None
            stands for what is not defined.
    """

    figures: dict[str, Any]
    intervals: dict[str, Any]


def score(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    bootstrap_samples: int,
    seed: int,
    train_captions: Iterable[str] | None = None,
    tokenizer: ScoringTokenizer = DEFAULT_TOKENIZER,
) -> Scores:
    """Score the captions of a split.

    Args:
        predictions: one caption an image, possibly empty.
        references: reference captions of each image, in the same order.
        bootstrap_samples: number of resamples behind the intervals.
        seed: random seed of the resamples.
        train_captions: captions of the train split, read once.
        tokenizer: tokenizer that cuts all of them into words.

    Returns:
        Figures as those of `text_figures`; with `train_captions` also `share_not_in_training`:
        share of the captions that no train image has word for word.

    Raises:
        InputError: as `cut_into_words`.
    """
    captions, wanted = cut_into_words(predictions, references, tokenizer)
    statistics = word_statistics(captions, wanted)
    figures = _figures(captions, statistics)
    intervals: dict[str, Any] = {}
    for metric, values in bootstrap(statistics, bootstrap_samples, seed).items():
        low, high = np.percentile(values, [2.5, 97.5])
        intervals[metric] = {"value": figures[metric], "low": rounded(low), "high": rounded(high)}
    if train_captions is not None:
        known = _known(captions, train_captions, tokenizer)
        new = sum(caption not in known for caption in captions)
        figures["share_not_in_training"] = rounded(new / len(captions))
    intervals["signature"] = _signature(references, bootstrap_samples, seed, tokenizer)
    return Scores(figures, intervals)


def text_figures(
    predictions: Sequence[str], references: Sequence[Sequence[str]], tokenizer: ScoringTokenizer
) -> dict[str, Any]:
    """The figures that follow from captions and references alone.

    Args:
        predictions: one caption an image, possibly empty.
        references: reference captions of each image, in the same order.
        tokenizer: tokenizer that cuts all of them into words.

    Returns:
        Every metric of `METRICS`, None where it is not defined; `caption_length`: mean number of
        words; `distinct_captions`; `distinct_words`; `empty_captions`; `images`; and `notes`: why
        metrics are not defined, if there are any.

    Raises:
        InputError: as `cut_into_words`.
    """
    captions, wanted = cut_into_words(predictions, references, tokenizer)
    return _figures(captions, word_statistics(captions, wanted))


def _figures(captions: Sequence[str], statistics: ImageStatistics) -> dict[str, Any]:
    """As `text_figures`, of captions that are cut into words."""
    metrics = aggregate(statistics)
    figures: dict[str, Any] = {name: rounded(value) for name, value in metrics.items()}
    lengths = [len(caption.split()) for caption in captions]
    figures["caption_length"] = rounded(sum(lengths) / len(lengths))
    figures["distinct_captions"] = len(set(captions))
    figures["distinct_words"] = len({word for caption in captions for word in caption.split()})
    figures["empty_captions"] = lengths.count(0)
    figures["images"] = len(captions)
    if notes := undefined_notes(metrics):
        figures["notes"] = notes
    return figures


def _known(
    captions: Iterable[str], train_captions: Iterable[str], tokenizer: ScoringTokenizer
) -> set[str]:
    """Those of `captions`, which are cut into words, that are among the train captions."""
    wanted, found = set(captions), set[str]()
    remaining = iter(train_captions)
    while chunk := list(islice(remaining, _CHUNK)):
        found |= wanted.intersection(tokenizer(chunk))
    return found


def rounded(value: float) -> float | None:
    """A figure with six digits; None if it is not defined, which is NaN elsewhere."""
    return None if math.isnan(value) else round(float(value), _DIGITS)


def _signature(
    references: Sequence[Sequence[str]], samples: int, seed: int, tokenizer: ScoringTokenizer
) -> str:
    """sacrebleu's signature, the version of the other metrics' package, the bootstrap's setting."""
    bleu = plain_bleu()
    bleu.corpus_score(["a"], [["a"]])  # sacrebleu signs only what has scored.
    signature = bleu.get_signature()
    numbers = {len(given) for given in references}
    signature.update("tok", tokenizer.signature)
    signature.update("nrefs", numbers.pop() if len(numbers) == 1 else "var")
    return (
        f"BLEU {signature}; ROUGE-L and CIDEr-D pycocoevalcap:{version('pycocoevalcap')}; "
        f"{tokenizer.description}; "
        f"bootstrap over images:{samples}|percentile:95|seed:{seed}"
    )
