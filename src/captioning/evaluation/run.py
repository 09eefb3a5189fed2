"""The work of stage `evaluate`: observe the captions of the test split, then score them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from captioning.data.raw_table import read_raw
from captioning.evaluation.caption_split import CaptionedImage
from captioning.evaluation.grounding import grounding, observed_scene
from captioning.evaluation.predictions import Prediction, read_predictions
from captioning.evaluation.scoring import Scores, score
from captioning.evaluation.words import ScoringTokenizer


class Observer:
    """Keeps samples of captioned images while they stream past.

    Args:
        sample_images: number of images to keep as samples; the first ones are kept.
        scenes: whether the images are drawn scenes, of which predictions say what is in them.

    Attributes:
        samples: captioned images kept so far.
    """

    def __init__(self, sample_images: int, scenes: bool) -> None:
        self.samples: list[CaptionedImage] = []
        self._sample_images = sample_images
        self._scenes = scenes

    def predictions(self, images: Iterable[CaptionedImage]) -> Iterator[Prediction]:
        """Observe every image and yield its prediction."""
        for image in images:
            if len(self.samples) < self._sample_images:
                self.samples.append(image)
            prediction = image.prediction
            if self._scenes:
                scene = observed_scene(image.row, prediction.caption, image.word_attention)
                prediction = prediction.model_copy(update={"scene": scene})
            yield prediction


def score_captions(
    path: Path | str,
    raw: Path | str,
    tokenizer: ScoringTokenizer,
    bootstrap_samples: int,
    seed: int,
) -> tuple[Scores, list[str]]:
    """Score the predictions at `path`.

    Args:
        path: JSON Lines file of predictions.
        raw: folder of the raw table; its train captions show which captions are new.
        tokenizer: tokenizer that cuts captions into words.
        bootstrap_samples: number of resamples behind the intervals.
        seed: random seed of the resamples.

    Returns:
        Scores, whose figures also hold `grounding` for drawn scenes; and the captions.
    """
    predictions = read_predictions(path)
    captions = [prediction.caption for prediction in predictions]
    rows = read_raw(raw, "train", columns=["captions"])
    scores = score(
        captions,
        [prediction.references for prediction in predictions],
        bootstrap_samples,
        seed,
        (caption for row in rows for caption in row["captions"]),
        tokenizer,
    )
    if (grounded := grounding(predictions)) is not None:
        scores.figures["grounding"] = grounded
    return scores, captions
