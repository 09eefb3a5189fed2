"""Caption the test split, then score: data/model, data/features, data/raw -> metrics/."""

from __future__ import annotations

import _environment  # noqa: F401

from captioning.captioner import Captioner
from captioning.decoding import make_decoder
from captioning.device import use_device
from captioning.evaluation import CaptionedImage, caption_split
from captioning.files import fresh_folder, write_json
from captioning.grounding import attention_peak_metrics, grounding_metrics
from captioning.images import decode_image
from captioning.params import Params
from captioning.plots import plot_attention
from captioning.predictions import read_predictions, write_predictions
from captioning.raw import read_raw
from captioning.record_folder import RecordFolder
from captioning.scoring import score
from captioning.stage import stage_main
from captioning.text import standardize

PREDICTIONS = "data/predictions.jsonl"


def evaluate(params: Params) -> None:
    """Run the stage."""
    settings = params.evaluate
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
    images = list(
        caption_split(captioner, decoder, features, "data/raw", "test", settings.batch_images)
    )
    write_predictions(PREDICTIONS, (image.prediction for image in images))
    plot_samples(images[: settings.sample_images])
    predictions = read_predictions(PREDICTIONS)
    captions = [prediction.caption for prediction in predictions]
    report = score(
        captions,
        [prediction.references for prediction in predictions],
        settings.bootstrap_samples,
        settings.seed,
        train_captions(),
    )
    if params.dataset == "scenes":
        rows = [image.row for image in images]
        maps = [image.attention for image in images]
        report["grounding"] = grounding_metrics(captions, rows)
        report["grounding"] |= attention_peak_metrics(maps, captions, rows)
    write_json("metrics/evaluate.json", report)


def plot_samples(images: list[CaptionedImage]) -> None:
    """Draw the first captions with their attention maps, in the order of the raw table."""
    wanted = {image.prediction.image_id: image for image in images}
    with fresh_folder("metrics/captions") as folder:
        for row in read_raw("data/raw", "test", columns=["image_id", "image"]):
            if (image := wanted.pop(row["image_id"], None)) is not None:
                picture = decode_image(row["image"], row["image_id"])
                prediction = image.prediction
                path = folder / f"{prediction.image_id.removesuffix('.jpg')}.png"
                plot_attention(
                    path, picture, prediction.caption, image.attention, prediction.references
                )
            if not wanted:
                break


def train_captions() -> set[str]:
    """The train split's captions, standardised."""
    rows = read_raw("data/raw", "train", columns=["captions"])
    return {standardize(caption) for row in rows for caption in row["captions"]}


if __name__ == "__main__":
    stage_main(evaluate)
