"""Caption the test split, then score: data/model, data/features, data/raw -> metrics/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import _environment  # noqa: F401

from captioning.files import fresh_folder, write_json
from captioning.params import EvaluateParams, Params
from captioning.raw import read_raw
from captioning.stage import stage_main

if TYPE_CHECKING:
    from captioning.evaluation import CaptionedImage
    from captioning.predictions import Prediction
    from captioning.scored_text import ScoredText

PREDICTIONS = "data/predictions.jsonl"


def evaluate(params: Params) -> None:
    """Run the stage."""
    # Imported here: what is wrong with the params is said without waiting for TensorFlow.
    from captioning.attention_peaks import AttentionPeaks
    from captioning.grounding import CaptionTruth
    from captioning.predictions import write_predictions
    from captioning.scored_text import ScoredText

    # Before any caption: a tokenizer may lack its packages.
    text = ScoredText(params.evaluate.tokenizer, params.vocabulary.normalization).check()
    samples: list[CaptionedImage] = []
    truth, peaks = CaptionTruth(), AttentionPeaks()

    def predictions() -> Iterator[Prediction]:
        """What is written; the rest of an image is looked at as it passes, and let go."""
        for image in captioned_images(params.evaluate):
            if len(samples) < params.evaluate.sample_images:
                samples.append(image)
            if params.dataset == "scenes":
                truth.add(image.prediction.caption, image.row)
                peaks.add(image.word_attention, image.prediction.caption, image.row)
            yield image.prediction

    write_predictions(PREDICTIONS, predictions())
    plot_samples(samples)
    report = scores(params.evaluate, text)
    if params.dataset == "scenes":
        report["grounding"] = truth.metrics() | peaks.metrics()
    write_json("metrics/evaluate.json", report)


def captioned_images(settings: EvaluateParams) -> Iterator[CaptionedImage]:
    """The test split, captioned as the params say."""
    from captioning.captioner import Captioner
    from captioning.decoding import make_decoder
    from captioning.device import use_device
    from captioning.evaluation import caption_split
    from captioning.record_folder import RecordFolder

    use_device(settings.seed)
    captioner = Captioner.load("data/model")
    decoder = make_decoder(
        captioner.decoder,
        settings.decoder,
        settings.beam_width,
        settings.length_penalty,
        settings.temperature,
        settings.seed,
    )
    features = RecordFolder.open("data/features")
    return caption_split(captioner, decoder, features, "data/raw", "test", settings.batch_images)


def plot_samples(images: list[CaptionedImage]) -> None:
    """Draw the first captions with their attention maps, in the order of the raw table."""
    from captioning.images import decode_image
    from captioning.plots import plot_attention

    wanted = {image.prediction.image_id: image for image in images}
    with fresh_folder("metrics/captions") as folder:
        for row in read_raw("data/raw", "test", columns=["image_id", "image"]):
            if (image := wanted.pop(row["image_id"], None)) is not None:
                picture = decode_image(row["image"], row["image_id"])
                prediction = image.prediction
                path = folder / f"{prediction.image_id.removesuffix('.jpg')}.png"
                plot_attention(
                    path,
                    picture,
                    prediction.caption,
                    image.attention,
                    prediction.references,
                    image.pieces,
                )
            if not wanted:
                break


def scores(settings: EvaluateParams, text: ScoredText) -> dict[str, Any]:
    """The report on the captions that were written, by the words of `text`."""
    from captioning.predictions import read_predictions
    from captioning.scoring import score

    predictions = read_predictions(PREDICTIONS)
    captions = [prediction.caption for prediction in predictions]
    return score(
        captions,
        [prediction.references for prediction in predictions],
        settings.bootstrap_samples,
        settings.seed,
        of_training(captions, text),
        text,
    )


def of_training(captions: list[str], text: ScoredText) -> set[str]:
    """Those of some captions that the train split has, as `text` makes them."""
    rows = read_raw("data/raw", "train", columns=["captions"])
    wanted = {text(caption) for caption in captions}
    return wanted.intersection(text(caption) for row in rows for caption in row["captions"])


if __name__ == "__main__":
    stage_main(evaluate)
