"""Rewards of captions equal the scores of the packages that define them."""

from __future__ import annotations

import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider
from sacrebleu.metrics.bleu import BLEU

from captioning.text import END, START
from captioning.training.rewards import CaptionReward


def draw_captions(images: int, captions: int, seed: int) -> list[list[list[int]]]:
    """Captions from [START] to [END] with few different words, so that n-grams recur."""
    random = np.random.default_rng(seed)
    return [
        [
            [START, *random.integers(4, 9, random.integers(1, 9)).tolist(), END]
            for _ in range(captions)
        ]
        for _ in range(images)
    ]


def padded(captions: list[list[list[int]]]) -> np.ndarray:
    longest = max(len(ids) for image in captions for ids in image)
    return np.array(
        [[ids + [0] * (longest - len(ids)) for ids in image] for image in captions], np.int32
    )


def words(ids: list[int]) -> str:
    """A caption as text for the packages, without [START] and with [END]."""
    return " ".join(map(str, ids[1:]))


REFERENCES = draw_captions(images=30, captions=3, seed=0)
CAPTIONS = draw_captions(images=30, captions=2, seed=1)


def test_cider_d_is_that_of_pycocoevalcap():
    found = CaptionReward.fit(REFERENCES, bleu_weight=0)(padded(CAPTIONS), padded(REFERENCES))
    truth = {i: [words(ids) for ids in image] for i, image in enumerate(REFERENCES)}
    for index in range(2):
        captions = {i: [words(image[index])] for i, image in enumerate(CAPTIONS)}
        _, expected = Cider().compute_score(truth, captions)
        np.testing.assert_allclose(found[:, index], expected, rtol=1e-5)
    assert found.std() > 0.1


def test_bleu_is_that_of_sacrebleu_with_add_one_smoothing():
    plain, both = (CaptionReward.fit(REFERENCES, bleu_weight=w) for w in (0.0, 2.0))
    captions, truth = padded(CAPTIONS), padded(REFERENCES)
    added = both(captions, truth) - plain(captions, truth)
    bleu = BLEU(tokenize="none", smooth_method="add-k", smooth_value=1)
    for image in range(30):
        references = [[words(ids[:-1])] for ids in REFERENCES[image]]
        for index in range(2):
            expected = (
                bleu.corpus_score([words(CAPTIONS[image][index][:-1])], references).score / 100
            )
            assert added[image, index] == pytest.approx(2 * expected, abs=1e-5)


def test_document_frequencies_are_those_of_the_train_split():
    common, rare = [START, 4, END], [START, 5, END]
    train = [[common], [common], [common], [rare]]
    reward = CaptionReward.fit(train, bleu_weight=0)
    # Three of four images have the common word, so a match of it is worth little.
    truth = np.array([[[START, 4, 5, END]]], np.int32)
    hits = np.array([[[START, 4, 6, END], [START, 5, 6, END]]], np.int32)
    common_hit, rare_hit = reward(hits, truth)[0]
    assert 0 < common_hit < rare_hit


def test_a_complete_caption_gets_more_than_one_that_breaks_off():
    reward = CaptionReward.fit(REFERENCES, bleu_weight=5)
    truth = np.array([[[START, 4, 5, 6, 7, END]]], np.int32)
    captions = np.array([[[START, 4, 5, 6, 7, END], [START, 4, 5, 6, END, 0]]], np.int32)
    whole, cut = reward(captions, truth)[0]
    assert whole == pytest.approx(15, rel=1e-5)
    assert cut < 12


def test_missing_references_and_empty_captions_give_finite_rewards():
    reward = CaptionReward.fit(REFERENCES, bleu_weight=5)
    one = np.array([[[START, 4, 5, END]]], np.int32)
    with_padding = np.concatenate([one, np.zeros_like(one)], axis=1)
    captions = np.array([[[START, 4, 6, END], [START, END, 0, 0]]], np.int32)
    np.testing.assert_array_equal(reward(captions, one), reward(captions, with_padding))
    assert np.isfinite(reward(captions, one)).all()
