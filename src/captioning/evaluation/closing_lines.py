"""The last lines that stage `evaluate` prints: its scores, and what is wrong with the captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from captioning.evaluation.scoring import Scores

_SHOWN = {"bleu_1": "BLEU-1", "bleu_4": "BLEU-4", "rouge_l": "ROUGE-L", "cider_d": "CIDEr-D"}
# From this many images on, half of them with the same caption are suspicious.
_MANY = 10
_ADVICE = (
    "the model has learned too little: train more steps (raise train.epochs, lower "
    "train.batch_images) or on more images; see docs/datasets.md, Small sets"
)


def closing_lines(scores: Scores, captions: Sequence[str]) -> Iterator[str]:
    """Yield the lines.

    Args:
        scores: scores of the split.
        captions: its captions.
    """
    shown = [f"{title} {_with_interval(scores, metric)}" for metric, title in _SHOWN.items()]
    yield f"evaluate: {', '.join(shown)} over {_images(len(captions))}"
    for note in scores.figures.get("notes", ()):
        yield f"note: {note}"
    yield from _warnings(captions)


def _with_interval(scores: Scores, metric: str) -> str:
    value, low, high = (scores.intervals[metric][key] for key in ("value", "low", "high"))
    if value is None:
        return "not defined"
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _warnings(captions: Sequence[str]) -> Iterator[str]:
    """Warn of captions that are empty, or that are the same for most images."""
    if empty := sum(not caption for caption in captions):
        verb = "is" if empty == 1 else "are"
        yield f"warning: {empty:,} of {len(captions):,} captions {verb} empty: {_ADVICE}"
    ((caption, count),) = Counter(captions).most_common(1)
    all_alike = count == len(captions) > 1
    if caption and (all_alike or (len(captions) >= _MANY and 2 * count >= len(captions))):
        images = f"all {_images(count)}" if all_alike else f"{count:,} of {_images(len(captions))}"
        yield f"warning: {images} have the same caption {caption!r}: {_ADVICE}"


def _images(number: int) -> str:
    return f"{number:,} image{'' if number == 1 else 's'}"
