"""What training tells the model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from captioning.core.splits import SPLITS
from captioning.model.bundle import Bundle
from captioning.model_card.card import CardFacts
from captioning.training.data import TrainingData
from captioning.training.loop import FitResult


def card_facts(
    bundle: Bundle,
    data: TrainingData,
    fitted: FitResult,
    refined: FitResult | None,
    settings: Mapping[str, Any],
) -> CardFacts:
    """The facts of a trained model.

    Args:
        bundle: the model; its data set must be known.
        data: what it was trained on.
        fitted: outcome of training on captions.
        refined: outcome of self-critical training; None where there was none.
        settings: the sections of `params.yaml` that training read.
    """
    best = refined.best if refined is not None and refined.best else fitted.best
    return CardFacts(
        dataset=str(bundle.dataset),
        images={split: data.features.count(split) for split in SPLITS},
        extractor=bundle.source["extractor"],
        image_size=bundle.source["image_size"],
        weights_sha256=bundle.source["weights_sha256"],
        vocabulary_size=len(bundle.vocabulary),
        parameters=bundle.decoder.count_params(),
        validation={name: value for name, value in best.items() if name.startswith("val_")},
        settings=settings,
    )
