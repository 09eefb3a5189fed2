"""Stage `evaluate`: caption the test split, score the captions, draw attention maps."""

from __future__ import annotations

from collections.abc import Iterable

import _environment  # noqa: F401

from captioning.core.files import fresh_folder, write_json
from captioning.params.stages import Params
from captioning.stage.main import stage_main

PREDICTIONS = "data/predictions.jsonl"
SCORES = "data/scores.json"
FIGURES = "metrics/evaluate.json"
PICTURES = "metrics/captions"
PICTURE_LIST = "metrics/captions.json"


def evaluate(params: Params) -> Iterable[str]:
    """Write predictions, pictures, figures and scores; return lines that say the scores."""
    # Imported here, so that wrong params are reported without waiting for TensorFlow.
    from captioning.evaluation.words import ScoringTokenizer

    settings = params.evaluate
    # Before any work: the tokenizer may need packages or Java, which may not be installed.
    tokenizer = ScoringTokenizer(settings.tokenizer, params.vocabulary.normalization).check()

    from captioning.data.record_folder import RecordFolder
    from captioning.decoding.search import DecodingSettings, make_decoder
    from captioning.evaluation.caption_split import caption_split
    from captioning.evaluation.closing_lines import closing_lines
    from captioning.evaluation.predictions import write_predictions
    from captioning.evaluation.run import Observer, score_captions
    from captioning.evaluation.samples import plot_samples
    from captioning.model.bundle import load_bundle
    from captioning.runtime.device import use_device

    use_device(settings.seed)
    bundle = load_bundle("data/model")
    decoder = make_decoder(bundle.decoder, DecodingSettings.of(settings))
    features = RecordFolder.open("data/features")
    images = caption_split(bundle, decoder, features, "data/raw", "test", settings.batch_images)
    observer = Observer(settings.sample_images, scenes=params.dataset == "scenes")
    write_predictions(PREDICTIONS, observer.predictions(images))
    with fresh_folder(PICTURES) as folder:
        pictures = plot_samples(folder, observer.samples, "data/raw", "test")
    write_json(PICTURE_LIST, pictures)
    scores, captions = score_captions(
        PREDICTIONS, "data/raw", tokenizer, settings.bootstrap_samples, settings.seed
    )
    write_json(SCORES, scores.intervals)
    write_json(FIGURES, scores.figures)
    return closing_lines(scores, captions)


if __name__ == "__main__":
    stage_main(evaluate, PREDICTIONS, SCORES, PICTURE_LIST, FIGURES, PICTURES)
