"""Stage `train`: fit the decoder to features and tokens."""

from __future__ import annotations

from pathlib import Path

import _environment  # noqa: F401

from captioning.core.files import fresh_folder, write_json
from captioning.params.stages import Params
from captioning.runtime.scratch import scratch_folder
from captioning.stage.main import stage_main


def train(params: Params) -> None:
    """Write data/model, data/train_samples.jsonl, metrics/train.json and the learning curves."""
    # Imported here, so that wrong params are reported without waiting for TensorFlow.
    from captioning.model.bundle import Bundle, save_bundle
    from captioning.model_card.card import write_card
    from captioning.runtime.cpu import warn_if_bfloat16_is_slow
    from captioning.runtime.device import use_device
    from captioning.training.build import build_decoder
    from captioning.training.card_facts import card_facts
    from captioning.training.data import TrainingData
    from captioning.training.familiarity import learn_familiarity
    from captioning.training.fit import fit
    from captioning.training.samples import SampleCaptions
    from captioning.training.self_critical import refine
    from captioning.training.summary import training_summary

    settings = params.train
    data = TrainingData("data/features", "data/tokens", "data/vocabulary", settings)
    gpu = use_device(settings.seed, settings.threads)
    if settings.precision == "bfloat16" and not gpu:
        warn_if_bfloat16_is_slow()
    decoder = build_decoder(params.model, settings.precision, data.feature_shape, data.output_bias)
    path = Path("data/train_samples.jsonl")
    samples = SampleCaptions(decoder, path, data.samples(), data.vocabulary, settings.seed)
    known = params.model_dump(include={"model", "train"})
    with (
        scratch_folder("train", known, data.files) as scratch,
        fresh_folder("metrics/self_critical") as rewards,
    ):
        fitted = fit(
            decoder,
            params=settings,
            batches=data.batches(),
            measured=data.measured(),
            steps_per_epoch=data.steps_per_epoch,
            curves=Path("metrics/training.csv"),
            samples=samples,
            jit_compile=gpu,
            checkpoint=scratch / "checkpoint.npz",
        )
        refined = refine(
            decoder,
            params=settings,
            data=data,
            curves=rewards / "rewards.csv",
            samples=samples,
            checkpoint=scratch / "self_critical.npz",
        )
        familiarity = learn_familiarity(data.features)
        source = dict(data.features.extra)
        bundle = Bundle(decoder, data.vocabulary, source, params.dataset, familiarity)
        with fresh_folder("data/model") as folder:
            save_bundle(folder, bundle)
            write_card(folder, card_facts(bundle, data, fitted, refined, known))
        write_json("metrics/train.json", training_summary(decoder, data.counts, fitted, refined))


if __name__ == "__main__":
    stage_main(
        train,
        "data/model",
        "data/train_samples.jsonl",
        "metrics/self_critical",
        "metrics/train.json",
        "metrics/training.csv",
    )
