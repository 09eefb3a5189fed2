"""Captions are compared with the objects of their image, attention with the boxes."""

from __future__ import annotations

import numpy as np
import pytest

from captioning.evaluation.scene_attention import (
    AttentionPeaks,
    attention_peak,
    object_peaks,
    object_words,
)
from captioning.evaluation.scene_truth import CaptionTruth, judge


def item(group, colour, shape, size, box):
    return {"group": group, "colour": colour, "shape": shape, "size": size, "box": box}


# Two large red stars on the left, a small blue ring on the right.
OBJECTS = [
    item(0, "red", "star", "large", [0.0, 0.0, 64.0, 64.0]),
    item(0, "red", "star", "large", [0.0, 130.0, 64.0, 200.0]),
    item(1, "blue", "ring", "small", [160.0, 96.0, 200.0, 140.0]),
]
ROW = {"objects": OBJECTS, "held_out": False, "width": 224, "height": 224}


def grounding_metrics(captions, rows):
    truth = CaptionTruth()
    for caption, row in zip(captions, rows, strict=True):
        truth.add(caption, row["objects"], row["held_out"])
    return truth.metrics()


def attention_peak_metrics(maps, captions, rows):
    peaks = AttentionPeaks()
    for attention, caption, row in zip(maps, captions, rows, strict=True):
        peaks.add(object_peaks(attention, caption, row), caption, row["objects"])
    return peaks.metrics()


def test_a_true_caption_is_true_in_every_respect():
    verdict = judge("two large red stars to the left of a small blue ring", OBJECTS)
    assert set(vars(verdict).values()) == {True}


@pytest.mark.parametrize(
    ("caption", "wrong"),
    [
        ("two large blue stars to the left of a small blue ring", "pairs_all_true"),
        ("two large blue stars to the left of a small red ring", "pair_true"),
        ("two large green stars to the left of a small blue ring", "colour_true"),
        ("two large red hearts to the left of a small blue ring", "shape_true"),
        ("two small red stars to the left of a small blue ring", "size_true"),
        ("three large red stars to the left of a small blue ring", "count_true"),
        ("two large red stars to the right of a small blue ring", "relation_true"),
        ("a small blue ring to the left of two large red stars", "relation_true"),
    ],
)
def test_a_false_claim_is_found(caption, wrong):
    assert getattr(judge(caption, OBJECTS), wrong) is False


def test_claims_that_a_caption_does_not_make_are_not_judged():
    verdict = judge("red stars", OBJECTS)
    assert verdict.pair_true
    assert (verdict.size_true, verdict.count_true, verdict.relation_true) == (None, None, None)


def test_a_caption_without_a_pair_is_not_true():
    for caption in ("a star and a ring", ""):
        assert not judge(caption, OBJECTS).pair_true
        assert not judge(caption, OBJECTS).pairs_all_true


def test_with_one_of_two_pairs_true_some_but_not_all_are_true():
    verdict = judge("two large red stars to the left of a small green ring", OBJECTS)
    assert verdict.pair_true and not verdict.pairs_all_true


def test_metrics_are_shares_of_the_captions_that_claim_something():
    captions = ["two red stars", "three red stars", "blue ring"]
    rows = [ROW, {**ROW, "held_out": True}, ROW]
    metrics = grounding_metrics(captions, rows)
    assert metrics["colour_shape_true"] == 1
    assert metrics["colour_shape_true_held_out"] == 1
    assert metrics["count_true"] == 0.5
    assert metrics["relation_true"] is None


def test_object_words_are_found_with_the_boxes_of_what_they_name():
    words = object_words("two red stars left of a green ring and a blue ring", OBJECTS)
    assert words == [
        (2, [OBJECTS[0]["box"], OBJECTS[1]["box"]]),
        (11, [OBJECTS[2]["box"]]),
    ]


def test_attention_peak_counts_where_the_highest_cell_lies_in_the_box():
    attention = np.full((3, 7, 7), 0.01, np.float32)
    attention[2, 0, 0] = 0.5  # "stars": centre (16, 16), in the first star's box
    hit = attention_peak_metrics([attention], ["two red stars"], [ROW])
    assert hit["attention_peak_in_box"] == 1 and hit["attention_cell_in_box"] == 1
    assert hit["attention_words"] == 1
    attention[2, 3, 5] = 0.9  # centre (176, 112), in the ring's box
    miss = attention_peak_metrics([attention], ["two red stars"], [ROW])
    assert miss["attention_peak_in_box"] == 0 and miss["attention_cell_in_box"] == 0


def test_chance_is_measured_with_the_peaks_of_other_images():
    on_star, on_ring = (np.zeros((3, 7, 7), np.float32) for _ in range(2))
    on_star[:, 0, 0] = 1
    on_ring[:, 3, 5] = 1
    captions = ["two red stars", "one blue ring"]
    metrics = attention_peak_metrics([on_star, on_ring], captions, [ROW, ROW])
    assert metrics["attention_peak_in_box"] == 1
    assert metrics["attention_peak_in_box_by_chance"] == 0


def test_the_peak_of_a_map_spread_over_an_object_lies_in_its_middle():
    attention = np.zeros((7, 7), np.float32)
    attention[2:4, 4:6] = [[0.2, 0.25], [0.25, 0.3]]
    x, y = attention_peak(attention, 224, 112)
    assert x == pytest.approx(5 * 32, abs=4) and y == pytest.approx(3 * 16, abs=2)
    assert attention_peak(attention, 224, 112, smoothing=0) == (5.5 * 32, 3.5 * 16)
