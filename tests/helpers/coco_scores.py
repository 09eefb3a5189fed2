"""COCO-caption's own figures, from package pycocoevalcap, and captions to score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

WORDS = [f"w{number}" for number in range(12)]


def corpus(seed: int, images: int, shortest: int = 0) -> tuple[list[str], list[list[str]]]:
    """Captions of 0 to 9 words that often repeat pieces of one of 1 to 5 references."""
    random = np.random.default_rng(seed)
    predictions, references = [], []
    for _ in range(images):
        given = [
            " ".join(random.choice(WORDS, random.integers(1, 10)))
            for _ in range(random.integers(1, 6))
        ]
        words = [
            word if random.random() < 0.7 else str(random.choice(WORDS))
            for word in str(random.choice(given)).split()
        ]
        predictions.append(" ".join(words[: random.integers(shortest, 10)]))
        references.append(given)
    return predictions, references


def coco_score(
    scorer: Any, predictions: Sequence[str], references: Sequence[list[str]]
) -> tuple[Any, Any]:
    """What one of COCO-caption's scorers gives for the corpus and for every image."""
    truth = dict(enumerate(references))
    candidates = {number: [caption] for number, caption in enumerate(predictions)}
    corpus_score, image_scores = scorer.compute_score(truth, candidates)
    return corpus_score, image_scores
