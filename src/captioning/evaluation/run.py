"""Captioning the test split and measuring the captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from captioning.data.raw_table import read_raw
from captioning.evaluation.caption_split import CaptionedImage
from captioning.evaluation.metrics import score
from captioning.evaluation.predictions import Prediction, read_predictions, write_predictions
from captioning.evaluation.scene_attention import AttentionPeaks
from captioning.evaluation.scene_truth import CaptionTruth
from captioning.evaluation.words import ScoredText


class Observer:
    """Looks at every captioned image as it passes, so that no more than a few are in memory.

    Args:
        sample_images: number of images to keep as samples, the first ones.
        scenes: whether the images are drawn scenes, whose captions can be checked for truth.

    Attributes:
        samples: the images kept.
    """

    def __init__(self, sample_images: int, scenes: bool) -> None:
        self.samples: list[CaptionedImage] = []
        self._sample_images = sample_images
        self._scenes = (CaptionTruth(), AttentionPeaks()) if scenes else None

    def predictions(self, images: Iterable[CaptionedImage]) -> Iterator[Prediction]:
        """Yield the prediction of every image after looking at it."""
        for image in images:
            if len(self.samples) < self._sample_images:
                self.samples.append(image)
            if self._scenes is not None:
                truth, peaks = self._scenes
                truth.add(image.prediction.caption, image.row)
                peaks.add(image.word_attention, image.prediction.caption, image.row)
            yield image.prediction

    def metrics(self) -> dict[str, Any]:
        """`grounding`, the figures of drawn scenes; empty for any other dataset."""
        if self._scenes is None:
            return {}
        truth, peaks = self._scenes
        return {"grounding": truth.metrics() | peaks.metrics()}


def write_captions(path: Path | str, images: Iterable[CaptionedImage], observer: Observer) -> None:
    """Write every image's prediction to `path`, showing each image to `observer`."""
    write_predictions(path, observer.predictions(images))


def score_captions(
    path: Path | str, raw: Path | str, text: ScoredText, bootstrap_samples: int, seed: int
) -> dict[str, Any]:
    """Metrics of the predictions at `path`.

    Args:
        path: JSON Lines, see `predictions`.
        raw: folder of the raw table; its train captions tell which captions are new.
        text: how captions are cut into words.
        bootstrap_samples: number of resamples behind the intervals.
        seed: random seed of the resamples.

    Returns:
        See `metrics.score`.
    """
    predictions = read_predictions(path)
    captions = [prediction.caption for prediction in predictions]
    return score(
        captions,
        [prediction.references for prediction in predictions],
        bootstrap_samples,
        seed,
        _in_training(captions, raw, text),
        text,
    )


def _in_training(captions: Iterable[str], raw: Path | str, text: ScoredText) -> set[str]:
    """The standardized captions that some train image has word for word."""
    wanted = {text(caption) for caption in captions}
    rows = read_raw(raw, "train", columns=["captions"])
    return wanted.intersection(text(caption) for row in rows for caption in row["captions"])
