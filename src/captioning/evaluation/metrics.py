"""Caption metrics as the literature reports them, with bootstrap intervals over images.

BLEU-1 to 4 are COCO-caption's: standardised text (lower case, no punctuation), closest reference
length, no smoothing, over the whole corpus. ROUGE-L and CIDEr-D are COCO-caption's own
implementations (package pycocoevalcap). All are shares: the 0.3 of BLEU is printed as 30 in most
papers; CIDEr-D may exceed 1. All are computed on the same words: those of `ScoredText`.

Everything follows from statistics of single images, computed once: a resample only picks among
them, which also makes two systems comparable image by image.

Legend: N images.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pycocoevalcap.rouge.rouge import Rouge
from sacrebleu.metrics.bleu import BLEU

from captioning.core.errors import InputError
from captioning.evaluation.cider import cider_d
from captioning.evaluation.words import ScoredText

Metric = Literal["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d"]
METRICS: tuple[Metric, ...] = get_args(Metric)
_ORDERS = 4
_COCO = ScoredText()
# Sums of floats may differ in the last bits between processors; reports must not.
_DIGITS = 6


@dataclass(frozen=True)
class ImageStatistics:
    """What each image adds to the metrics.

    Attributes:
        matches: n-grams of the caption found in its references (clipped), n = 1..4, int [N, 4].
        ngrams: n-grams of the caption, n = 1..4, int [N, 4].
        lengths: words of the caption, and of the reference closest in length, int [N, 2].
        rouge_l: ROUGE-L of each caption, float [N].
        cider_d: CIDEr-D of each caption, float [N]; document frequencies from all N images.
    """

    matches: NDArray[np.int64]
    ngrams: NDArray[np.int64]
    lengths: NDArray[np.int64]
    rouge_l: NDArray[np.float64]
    cider_d: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.lengths)


def image_statistics(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    text: ScoredText = _COCO,
) -> ImageStatistics:
    """Statistics of every image; captions and references are standardised and cut here.

    References without a word are left out; their number may differ between images.

    Args:
        predictions: one caption an image, possibly empty.
        references: the reference captions of each image, in the same order.
        text: how their words are found.

    Raises:
        InputError: nothing to score, numbers that differ, or an image without a reference.
    """
    captions, wanted = _words(predictions, references, text)
    bleu = _bleu()
    scores = [
        bleu.corpus_score([c], [[r] for r in w]) for c, w in zip(captions, wanted, strict=True)
    ]
    # The scorer asks for dictionaries with the same keys in the same order.
    truth, said = dict(enumerate(wanted)), {n: [caption] for n, caption in enumerate(captions)}
    return ImageStatistics(
        matches=np.array([score.counts for score in scores], np.int64),
        ngrams=np.array([score.totals for score in scores], np.int64),
        lengths=np.array([(score.sys_len, score.ref_len) for score in scores], np.int64),
        rouge_l=np.asarray(Rouge().compute_score(truth, said)[1], np.float64),
        cider_d=cider_d(captions, wanted),
    )


def aggregate(
    statistics: ImageStatistics, chosen: NDArray[np.int64] | slice = slice(None)
) -> dict[str, float]:
    """The corpus metrics of `METRICS` over the chosen images.

    Args:
        statistics: of all images.
        chosen: indices of images, repeats counting as often as they occur; default all.
    """
    matches = statistics.matches[chosen].sum(axis=0).tolist()
    ngrams = statistics.ngrams[chosen].sum(axis=0).tolist()
    said, closest = statistics.lengths[chosen].sum(axis=0).tolist()
    metrics = {}
    for order in range(1, _ORDERS + 1):
        # Plain BLEU: without smoothing, 0 where an order has no match at all.
        bleu = BLEU.compute_bleu(
            matches[:order], ngrams[:order], said, closest, max_ngram_order=order
        )
        metrics[f"bleu_{order}"] = bleu.score / 100
    metrics["rouge_l"] = float(statistics.rouge_l[chosen].mean())
    metrics["cider_d"] = float(statistics.cider_d[chosen].mean())
    return metrics


def bootstrap(
    statistics: ImageStatistics, samples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Metrics over resamples of the images, with replacement; the same ones for all metrics.

    The resamples depend on N, `samples` and `seed` alone: those of two systems on the same images
    are pairs. CIDEr-D's document frequencies stay those of all N images.

    Returns:
        For each of `METRICS` its values, float [samples].
    """
    random = np.random.default_rng(seed)
    size = len(statistics)
    resampled = [aggregate(statistics, random.integers(size, size=size)) for _ in range(samples)]
    return {metric: np.array([values[metric] for values in resampled]) for metric in METRICS}


def score(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    bootstrap_samples: int,
    seed: int,
    train_captions: AbstractSet[str] | None = None,
    text: ScoredText = _COCO,
) -> dict[str, Any]:
    """The report on captions that metrics/evaluate.json holds.

    Args:
        predictions: one caption an image, possibly empty.
        references: the reference captions of each image, in the same order.
        bootstrap_samples: resamples behind the intervals.
        seed: of the resamples.
        train_captions: the train split's captions, as `text` makes them.
        text: how words are found.

    Returns:
        Every metric of `METRICS`; `interval`: its 95% percentile interval {low, high};
        `caption_length`: mean words; `distinct_words`; `empty_captions`; `images`; `signature`:
        how all this was computed; with `train_captions` also `share_not_in_training`: the share
        of captions that no train image has word for word.

    Raises:
        InputError: as `image_statistics`.
    """
    statistics = image_statistics(predictions, references, text)
    report: dict[str, Any] = _rounded(aggregate(statistics))
    report["interval"] = {}
    for metric, values in bootstrap(statistics, bootstrap_samples, seed).items():
        low, high = np.percentile(values, [2.5, 97.5])
        report["interval"][metric] = _rounded({"low": float(low), "high": float(high)})
    captions = [text(caption) for caption in predictions]
    lengths = [len(caption.split()) for caption in captions]
    report["caption_length"] = round(sum(lengths) / len(lengths), _DIGITS)
    report["distinct_words"] = len({word for caption in captions for word in caption.split()})
    report["empty_captions"] = lengths.count(0)
    report["images"] = len(captions)
    if train_captions is not None:
        new = sum(caption not in train_captions for caption in captions)
        report["share_not_in_training"] = round(new / len(captions), _DIGITS)
    report["signature"] = _signature(references, bootstrap_samples, seed, text)
    return report


def _words(
    predictions: Sequence[str], references: Sequence[Sequence[str]], text: ScoredText
) -> tuple[list[str], list[list[str]]]:
    """Captions and references as words with spaces between, checked."""
    if len(predictions) != len(references):
        raise InputError(
            f"{len(predictions)} captions but references for {len(references)} images: "
            "every image needs one caption and its references"
        )
    if not predictions:
        raise InputError("no caption to score")
    wanted = []
    for number, given in enumerate(references):
        wanted.append([reference for reference in map(text, given) if reference])
        if not wanted[-1]:
            raise InputError(f"image {number} (counting from 0) has no reference with a word in it")
    return [text(caption) for caption in predictions], wanted


def _bleu() -> BLEU:
    return BLEU(lowercase=True, tokenize="none", smooth_method="none", max_ngram_order=_ORDERS)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in values.items()}


def _signature(
    references: Sequence[Sequence[str]], samples: int, seed: int, text: ScoredText
) -> str:
    """sacrebleu's signature, the version of the other metrics' package, the bootstrap's setting."""
    bleu = _bleu()
    bleu.corpus_score(["a"], [["a"]])  # sacrebleu signs only what has scored.
    signature = bleu.get_signature()
    numbers = {len(given) for given in references}
    signature.update("tok", text.tokenizer_signature)
    signature.update("nrefs", numbers.pop() if len(numbers) == 1 else "var")
    return (
        f"BLEU {signature}; ROUGE-L and CIDEr-D pycocoevalcap:{version('pycocoevalcap')}; "
        f"{text.description}; "
        f"bootstrap over images:{samples}|percentile:95|seed:{seed}"
    )
