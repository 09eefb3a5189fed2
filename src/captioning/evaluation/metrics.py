"""Caption metrics as the literature reports them, with bootstrap resamples of the images.

BLEU-1 to 4 are computed as in COCO-caption: closest reference length, no smoothing, over the whole
corpus. ROUGE-L and CIDEr-D are COCO-caption's own code (package pycocoevalcap). All metrics compare
the same words, those that `ScoringTokenizer` finds; with its tokenizer `ptb`, COCO-caption finds
the same ones and gives the same figures.

All metrics are shares: a BLEU of 0.3 is printed as 30 in most papers; CIDEr-D may exceed 1.

A metric is not defined, and NaN here, where no caption could score: CIDEr-D where every n-gram of
the references is in the references of every image, as for a single image; BLEU-n where no reference
has n words. An interval over images is not defined for a single image.

Everything is computed from statistics of single images, which are computed once. A resample only
chooses among them, and two systems can be compared image by image.

Legend: N images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pycocoevalcap.rouge.rouge import Rouge
from sacrebleu.metrics.bleu import BLEU

from captioning.core.errors import InputError
from captioning.evaluation.cider import cider_d
from captioning.evaluation.words import ScoringTokenizer

Metric = Literal["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d"]
METRICS: tuple[Metric, ...] = get_args(Metric)
DEFAULT_TOKENIZER = ScoringTokenizer()
_ORDERS = 4


@dataclass(frozen=True)
class ImageStatistics:
    """What each image contributes to the metrics.

    Attributes:
        matches: n-grams of the caption found in its references (clipped), n = 1..4, int64 [N, 4].
        ngrams: n-grams of the caption, n = 1..4, int64 [N, 4].
        lengths: words of the caption, and of the reference closest in length, int64 [N, 2].
        longest: words of the longest reference, int64 [N].
        rouge_l: ROUGE-L of each caption, float64 [N].
        cider_d: CIDEr-D of each caption, float64 [N]; document frequencies from all N images. NaN
            if it is not defined for these images.
    """

    matches: NDArray[np.int64]
    ngrams: NDArray[np.int64]
    lengths: NDArray[np.int64]
    longest: NDArray[np.int64]
    rouge_l: NDArray[np.float64]
    cider_d: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.lengths)


def image_statistics(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    tokenizer: ScoringTokenizer = DEFAULT_TOKENIZER,
) -> ImageStatistics:
    """Compute the statistics of every image.

    Args:
        predictions: one caption an image, possibly empty.
        references: reference captions of each image, in the same order.
        tokenizer: tokenizer that cuts both into words.

    Raises:
        InputError: as `cut_into_words`.
    """
    return word_statistics(*cut_into_words(predictions, references, tokenizer))


def cut_into_words(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    tokenizer: ScoringTokenizer,
) -> tuple[list[str], list[list[str]]]:
    """Captions and references as words joined by spaces, from one call of the tokenizer.

    References without a word are left out; their number may differ between images.

    Raises:
        InputError: there is no caption, captions and references differ in number, an image has no
            reference with a word, or the tokenizer lacks something on this machine.
    """
    if len(predictions) != len(references):
        raise InputError(
            f"{len(predictions)} captions but references for {len(references)} images: "
            "every image needs one caption and its references"
        )
    if not predictions:
        raise InputError("no caption to score")
    texts = [*predictions, *(reference for given in references for reference in given)]
    cut = iter(tokenizer(texts))
    captions = list(islice(cut, len(predictions)))
    wanted = []
    for number, given in enumerate(references):
        wanted.append([reference for reference in islice(cut, len(given)) if reference])
        if not wanted[-1]:
            raise InputError(f"image {number} (counting from 0) has no reference with a word in it")
    return captions, wanted


def word_statistics(captions: Sequence[str], references: Sequence[list[str]]) -> ImageStatistics:
    """Statistics of captions and references that `cut_into_words` returned."""
    bleu = plain_bleu()
    scores = [
        bleu.corpus_score([caption], [[reference] for reference in given])
        for caption, given in zip(captions, references, strict=True)
    ]
    # Rouge takes dictionaries with the same keys in the same order.
    truth = dict(enumerate(references))
    candidates = {number: [caption] for number, caption in enumerate(captions)}
    return ImageStatistics(
        matches=np.array([score.counts for score in scores], np.int64),
        ngrams=np.array([score.totals for score in scores], np.int64),
        lengths=np.array([(score.sys_len, score.ref_len) for score in scores], np.int64),
        longest=np.array([max(len(r.split()) for r in given) for given in references], np.int64),
        rouge_l=np.asarray(Rouge().compute_score(truth, candidates)[1], np.float64),
        cider_d=cider_d(captions, references),
    )


def aggregate(
    statistics: ImageStatistics, chosen: NDArray[np.int64] | slice = slice(None)
) -> dict[str, float]:
    """The corpus metrics of `METRICS` over the chosen images; NaN for those that are not defined.

    Args:
        statistics: statistics of all images.
        chosen: indices of images, each counting as often as it occurs; default: every image once.
    """
    matches = statistics.matches[chosen].sum(axis=0).tolist()
    ngrams = statistics.ngrams[chosen].sum(axis=0).tolist()
    caption_length, reference_length = statistics.lengths[chosen].sum(axis=0).tolist()
    longest = statistics.longest.max()
    metrics = {}
    for order in range(1, _ORDERS + 1):
        if longest < order:
            metrics[f"bleu_{order}"] = math.nan
            continue
        # Without smoothing: 0 where an order has no match at all.
        bleu = BLEU.compute_bleu(
            matches[:order],
            ngrams[:order],
            caption_length,
            reference_length,
            max_ngram_order=order,
        )
        metrics[f"bleu_{order}"] = bleu.score / 100
    metrics["rouge_l"] = float(statistics.rouge_l[chosen].mean())
    metrics["cider_d"] = float(statistics.cider_d[chosen].mean())
    return metrics


def bootstrap(
    statistics: ImageStatistics, samples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Metrics over resamples of the images, drawn with replacement; the same ones for all metrics.

    The resamples depend only on N, `samples` and `seed`: those of two systems on the same images
    can be paired. CIDEr-D's document frequencies stay those of all N images.

    Args:
        statistics: statistics of all images.
        samples: number of resamples.
        seed: random seed of the resamples.

    Returns:
        For each of `METRICS` its values, float64 [samples]; NaN for metrics that are not defined,
        and for all if there is only one image.
    """
    random = np.random.default_rng(seed)
    size = len(statistics)
    if size == 1:
        return {metric: np.full(samples, math.nan) for metric in METRICS}
    resampled = [aggregate(statistics, random.integers(size, size=size)) for _ in range(samples)]
    return {metric: np.array([values[metric] for values in resampled]) for metric in METRICS}


def undefined_notes(values: Mapping[str, float]) -> list[str]:
    """Why metrics of `aggregate` are not defined, one sentence each without a full stop."""
    return [
        "cider_d is not defined: it weighs words by how few images' references contain them, so "
        "it needs two images with different references"
        if metric == "cider_d"
        else f"{metric} is not defined: no reference has {metric[-1]} words"
        for metric in METRICS
        if math.isnan(values[metric])
    ]


def plain_bleu() -> BLEU:
    """sacrebleu's BLEU for text that is already cut into words, without smoothing."""
    return BLEU(lowercase=True, tokenize="none", smooth_method="none", max_ngram_order=_ORDERS)
