"""The report on a split's captions: metrics with 95% intervals, and how they were computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import islice
from typing import Any

import numpy as np

from captioning.evaluation.metrics import (
    DEFAULT_TOKENIZER,
    aggregate,
    bootstrap,
    cut_into_words,
    plain_bleu,
    word_statistics,
)
from captioning.evaluation.words import ScoringTokenizer

# Sums of floats may differ in the last bits between processors; reports must not.
_DIGITS = 6
# Train captions that are in memory at once.
_CHUNK = 100_000


def score(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    bootstrap_samples: int,
    seed: int,
    train_captions: Iterable[str] | None = None,
    tokenizer: ScoringTokenizer = DEFAULT_TOKENIZER,
) -> dict[str, Any]:
    """The report that metrics/evaluate.json holds.

    Args:
        predictions: one caption an image, possibly empty.
        references: reference captions of each image, in the same order.
        bootstrap_samples: number of resamples behind the intervals.
        seed: random seed of the resamples.
        train_captions: captions of the train split, read once.
        tokenizer: tokenizer that cuts all of them into words.

    Returns:
        Every metric of `METRICS`; `interval`: its 95% percentile interval {low, high};
        `caption_length`: mean number of words; `distinct_words`; `empty_captions`; `images`;
        `signature`: how all this was computed; with `train_captions` also
        `share_not_in_training`: share of the captions that no train image has word for word.

    Raises:
        InputError: as `cut_into_words`.
    """
    captions, wanted = cut_into_words(predictions, references, tokenizer)
    statistics = word_statistics(captions, wanted)
    report: dict[str, Any] = _rounded(aggregate(statistics))
    report["interval"] = {}
    for metric, values in bootstrap(statistics, bootstrap_samples, seed).items():
        low, high = np.percentile(values, [2.5, 97.5])
        report["interval"][metric] = _rounded({"low": float(low), "high": float(high)})
    lengths = [len(caption.split()) for caption in captions]
    report["caption_length"] = round(sum(lengths) / len(lengths), _DIGITS)
    report["distinct_words"] = len({word for caption in captions for word in caption.split()})
    report["empty_captions"] = lengths.count(0)
    report["images"] = len(captions)
    if train_captions is not None:
        known = _known(captions, train_captions, tokenizer)
        new = sum(caption not in known for caption in captions)
        report["share_not_in_training"] = round(new / len(captions), _DIGITS)
    report["signature"] = _signature(references, bootstrap_samples, seed, tokenizer)
    return report


def _known(
    captions: Iterable[str], train_captions: Iterable[str], tokenizer: ScoringTokenizer
) -> set[str]:
    """Those of `captions`, which are cut into words, that are among the train captions."""
    wanted, found = set(captions), set[str]()
    remaining = iter(train_captions)
    while chunk := list(islice(remaining, _CHUNK)):
        found |= wanted.intersection(tokenizer(chunk))
    return found


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in values.items()}


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
