"""Fit the decoder: data/features, data/tokens, data/vocabulary -> data/model."""

from __future__ import annotations

from pathlib import Path

import _environment  # noqa: F401
import numpy as np
import pyarrow.parquet as pq

from captioning.errors import InputError
from captioning.files import fresh_folder, write_json
from captioning.params import Params
from captioning.scratch import scratch_folder
from captioning.shards import INDEX
from captioning.stage import stage_main
from captioning.text import Vocabulary, marginal_entropy, uniform_entropy

INPUTS = (
    f"data/features/{INDEX}",
    f"data/tokens/{INDEX}",
    "data/vocabulary/vocabulary.txt",
    "data/vocabulary/output_bias.npy",
)


def train(params: Params) -> None:
    """Run the stage."""
    # Imported here: what is wrong with the params is said without waiting for TensorFlow.
    from captioning.batches import (
        evaluation_batches,
        feature_shape,
        first_examples,
        training_batches,
    )
    from captioning.captioner import Captioner
    from captioning.device import use_device
    from captioning.model.build import build_decoder
    from captioning.record_folder import RecordFolder
    from captioning.reports import Validation
    from captioning.samples import SampleCaptions
    from captioning.training import fit

    settings = params.train
    features, tokens = RecordFolder.open("data/features"), RecordFolder.open("data/tokens")
    vocabulary = Vocabulary.load("data/vocabulary/vocabulary.txt")
    if tokens.extra["vocabulary_sha256"] != vocabulary.sha256:
        raise InputError("data/tokens was written with another vocabulary: run `dvc repro tokens`")
    bias = np.load("data/vocabulary/output_bias.npy")
    gpu = use_device(settings.seed, settings.threads)
    decoder = build_decoder(params.model, settings.precision, feature_shape(features), bias)
    batches = training_batches(
        features, tokens, "train", settings.batch_images, settings.captions_per_image, settings.seed
    )
    validation = Validation(
        evaluation_batches(features, tokens, "validation", settings.batch_images),
        evaluation_batches(
            features, tokens, "train", settings.batch_images, features.count("validation") // 2
        ),
    )
    ids, maps, references = first_examples(
        features, tokens, vocabulary, "validation", settings.sample_images
    )
    samples = SampleCaptions(
        Path("data/train_samples.jsonl"), ids, maps, references, vocabulary, settings.seed
    )
    steps = -(-features.count("train") // settings.batch_images)
    with scratch_folder("train", params.model_dump(include={"model", "train"}), INPUTS) as scratch:
        result = fit(
            decoder,
            settings,
            batches,
            validation,
            steps,
            Path("metrics/training.csv"),
            samples,
            jit_compile=gpu,
            checkpoint=scratch / "checkpoint.npz",
        )
        with fresh_folder("data/model") as folder:
            Captioner(decoder, vocabulary, dict(features.extra)).save(folder)
    counts = pq.read_table("data/vocabulary/counts.parquet")["count"].to_numpy()
    summary = {
        "parameters": decoder.count_params(),
        "reports": result.reports,
        "best": result.best,
        "untrained": {
            "val_cross_entropy": result.untrained["val_cross_entropy"],
            "uniform_entropy": round(uniform_entropy(len(vocabulary)), 6),
            "marginal_entropy": round(marginal_entropy(counts), 6),
        },
    }
    write_json("metrics/train.json", summary)


if __name__ == "__main__":
    stage_main(train)
