"""Which images a report shows, and which claims of their captions are wrong."""

from __future__ import annotations

import math

import pytest

from captioning.evaluation.predictions import ObjectPeak, Scene, SceneObject
from captioning.report.gallery import choose, wrong_claims

SCENE = Scene(
    held_out=False,
    objects=(
        SceneObject(colour="red", shape="star", size="large", box=(0, 0, 20, 20)),
        SceneObject(colour="blue", shape="ring", size="small", box=(40, 0, 60, 20)),
    ),
    peaks=(),
)


@pytest.mark.parametrize(
    ("caption", "wrong"),
    [
        ("a large red star", []),
        # "a" counts one, of what is not there.
        ("a green star", ["colour_shape", "colour", "count"]),
        ("red ring", ["colour_shape"]),
        ("red heart", ["colour_shape", "shape"]),
        ("a small red star", ["size"]),
        ("two red stars", ["count"]),
        ("a red star to the right of a blue ring", ["relation"]),
        ("a star", ["unnamed"]),
        ("", ["unnamed"]),
    ],
)
def test_wrong_claims_are_named(caption, wrong):
    assert wrong_claims(caption, SCENE) == wrong


@pytest.mark.parametrize(("x", "wrong"), [(10.0, []), (30.0, ["attention"])])
def test_attention_beside_the_named_object_is_wrong(x, wrong):
    peak = ObjectPeak(word=2, smooth=(x, 10.0), cell=(x, 10.0))
    scene = SCENE.model_copy(update={"peaks": (peak,)})
    assert wrong_claims("a red star", scene) == wrong


def test_all_images_are_shown_if_they_fit():
    assert choose([0.3, 0.1, 0.2], [0, 0, 0], 3) == [0, 1, 2]
    assert choose([0.3, 0.1, 0.2], [0, 0, 0], 0) == []


def test_the_worst_and_the_best_are_always_shown():
    scores = [math.sin(number) for number in range(100)]
    for number in (2, 3, 10, 99):
        chosen = choose(scores, [0] * 100, number)
        assert len(set(chosen)) == number and chosen == sorted(chosen)
        assert scores.index(min(scores)) in chosen and scores.index(max(scores)) in chosen


def test_half_of_the_places_go_to_the_largest_changes():
    changes = [0.0] * 100
    changes[40], changes[7], changes[90] = -3.0, 2.0, 0.5
    assert {40, 7} <= set(choose([1.0] * 100, changes, 4))
    assert {40, 7, 90} <= set(choose([math.nan] * 100, changes, 50))
