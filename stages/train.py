"""Fit the decoder: data/features, data/tokens, data/vocabulary -> data/model."""

from __future__ import annotations

from pathlib import Path

import _environment  # noqa: F401

from captioning.files import fresh_folder, write_json
from captioning.params import Params
from captioning.scratch import scratch_folder
from captioning.stage import stage_main
from captioning.text import marginal_entropy, uniform_entropy


def train(params: Params) -> None:
    """Run the stage."""
    # Imported here: what is wrong with the params is said without waiting for TensorFlow.
    from captioning.captioner import Captioner
    from captioning.device import use_device
    from captioning.model.build import build_decoder
    from captioning.self_critical import refine
    from captioning.training import fit
    from captioning.training_data import TrainingData

    settings = params.train
    data = TrainingData("data/features", "data/tokens", "data/vocabulary", settings)
    gpu = use_device(settings.seed, settings.threads)
    decoder = build_decoder(params.model, settings.precision, data.feature_shape, data.output_bias)
    validation = data.validation()
    samples = data.samples(decoder, Path("data/train_samples.jsonl"))
    known = params.model_dump(include={"model", "train"})
    with scratch_folder("train", known, data.files) as scratch:
        result = fit(
            decoder,
            settings,
            data.batches(),
            validation,
            data.steps_per_epoch,
            Path("metrics/training.csv"),
            samples,
            jit_compile=gpu,
            checkpoint=scratch / "checkpoint.npz",
        )
        refined = refine(
            decoder,
            settings,
            data,
            Path("metrics/self_critical.csv"),
            samples,
            checkpoint=scratch / "self_critical.npz",
        )
        with fresh_folder("data/model") as folder:
            Captioner(decoder, data.vocabulary, dict(data.features.extra)).save(folder)
    summary = {
        "parameters": decoder.count_params(),
        "reports": result.reports,
        "best": result.best,
        "untrained": {
            "val_cross_entropy": round(validation.rows[0]["val_cross_entropy"], 6),
            "uniform_entropy": round(uniform_entropy(len(data.vocabulary)), 6),
            "marginal_entropy": round(marginal_entropy(data.counts), 6),
        },
    }
    if refined is not None:
        summary["self_critical"] = {"reports": refined.reports, "best": refined.best}
    write_json("metrics/train.json", summary)


if __name__ == "__main__":
    stage_main(train)
