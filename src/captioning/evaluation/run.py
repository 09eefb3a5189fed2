"""The work of stage `evaluate`: write the captions of the test split, then score them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from captioning.data.raw_table import read_raw
from captioning.evaluation.caption_split import CaptionedImage
from captioning.evaluation.predictions import Prediction, read_predictions, write_predictions
from captioning.evaluation.scene_attention import AttentionPeaks
from captioning.evaluation.scene_truth import CaptionTruth
from captioning.evaluation.scoring import score
from captioning.evaluation.words import ScoringTokenizer


class Observer:
    """Collects figures and samples while captioned images stream past, and keeps only the samples.

    Args:
        sample_images: number of images to keep as samples; the first ones are kept.
        scenes: whether the images are drawn scenes, whose captions can be checked for truth.

    Attributes:
        samples: captioned images kept so far.
    """

    def __init__(self, sample_images: int, scenes: bool) -> None:
        self.samples: list[CaptionedImage] = []
        self._sample_images = sample_images
        self._scenes = (CaptionTruth(), AttentionPeaks()) if scenes else None

    def predictions(self, images: Iterable[CaptionedImage]) -> Iterator[Prediction]:
        """Observe every image and yield its prediction."""
        for image in images:
            if len(self.samples) < self._sample_images:
                self.samples.append(image)
            if self._scenes is not None:
                truth, peaks = self._scenes
                truth.add(image.prediction.caption, image.row)
                peaks.add(image.word_attention, image.prediction.caption, image.row)
            yield image.prediction

    def metrics(self) -> dict[str, Any]:
        """Figures of drawn scenes, under the key `grounding`; empty for other datasets."""
        if self._scenes is None:
            return {}
        truth, peaks = self._scenes
        return {"grounding": truth.metrics() | peaks.metrics()}


def write_captions(path: Path | str, images: Iterable[CaptionedImage], observer: Observer) -> None:
    """Write the prediction of every image to `path` while `observer` observes the images."""
    write_predictions(path, observer.predictions(images))


def score_captions(
    path: Path | str,
    raw: Path | str,
    tokenizer: ScoringTokenizer,
    bootstrap_samples: int,
    seed: int,
) -> dict[str, Any]:
    """Score the predictions at `path`.

    Args:
        path: JSON Lines file of predictions.
        raw: folder of the raw table; its train captions show which captions are new.
        tokenizer: tokenizer that cuts captions into words.
        bootstrap_samples: number of resamples behind the intervals.
        seed: random seed of the resamples.

    Returns:
        The report that `scoring.score` describes.
    """
    predictions = read_predictions(path)
    rows = read_raw(raw, "train", columns=["captions"])
    return score(
        [prediction.caption for prediction in predictions],
        [prediction.references for prediction in predictions],
        bootstrap_samples,
        seed,
        (caption for row in rows for caption in row["captions"]),
        tokenizer,
    )
