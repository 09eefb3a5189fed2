"""Figures are computed again from the captions: hand-edited and undefined ones are found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.evaluation.predictions import (
    ObjectPeak,
    Prediction,
    Scene,
    SceneObject,
    write_predictions,
)
from captioning.evaluation.run import score_captions
from captioning.evaluation.words import ScoringTokenizer
from captioning.experiments.as_json import as_json
from captioning.experiments.as_text import as_markdown, as_text
from captioning.experiments.comparison import Comparison, Experiment, compare
from captioning.experiments.gate import Check, Limits, drop_checks, floor_checks
from captioning.experiments.revisions import Revision
from captioning.experiments.scored_runs import stale_figures

pytestmark = pytest.mark.usefixtures("fewer_exchanges")

STAR = SceneObject(colour="red", shape="star", size="large", box=(0, 0, 64, 64))
RING = SceneObject(colour="blue", shape="ring", size="small", box=(160, 96, 200, 140))


def prediction(number: int, caption: str, peaks: list[tuple[int, float]], held_out: bool):
    """Every image shows a red star and a blue ring; the peaks are words and their x and y."""
    found = tuple(ObjectPeak(word=w, smooth=(xy, xy), cell=(xy, xy)) for w, xy in peaks)
    return Prediction(
        image_id=f"scene-{number}",
        caption=caption,
        references=("a red star beside a blue ring", f"number {number}"),
        log_probability=-1.0,
        scene=Scene(held_out=held_out, objects=(STAR, RING), peaks=found),
    )


PREDICTIONS = [
    prediction(0, "a red star", [(2, 30.0)], held_out=False),
    prediction(1, "a red ring beside a blue ring", [(6, 30.0)], held_out=True),
    prediction(2, "a green star", [], held_out=False),
]


def revision(
    folder: Path, predictions: list[Prediction], monkeypatch, name: str = "run"
) -> Revision:
    """What stage `evaluate` leaves behind; the train split has one caption."""
    monkeypatch.setattr(
        "captioning.evaluation.run.read_raw", lambda *_, **__: [{"captions": ["a green star"]}]
    )
    root = folder / name
    path = root / "data/predictions.jsonl"
    write_predictions(path, predictions)
    scores, _ = score_captions(path, root, ScoringTokenizer(), 100, 1)
    write_json(root / "metrics/evaluate.json", scores.figures)
    (root / "params.yaml").write_text("train: {seed: 1}\n")
    return Revision(name, None, root)


def edited(given: Revision, key: str, value: float | None) -> Revision:
    """The revision with a figure changed by hand."""
    path = given.root / "metrics/evaluate.json"
    figures = json.loads(path.read_text())
    *sections, name = key.split(".")
    place = figures
    for section in sections:
        place = place[section]
    assert name in place
    place[name] = value
    path.write_text(json.dumps(figures))
    return Revision(given.name, None, given.root)


@pytest.fixture
def scenes(tmp_path, monkeypatch) -> Revision:
    return revision(tmp_path, PREDICTIONS, monkeypatch)


def failed(checks: list[Check]) -> list[str]:
    return [check.reason for check in checks if not check.passed]


def test_figures_of_drawn_scenes_follow_from_the_predictions(scenes):
    figures = scenes.figures
    assert figures["grounding.colour_shape_true"] == pytest.approx(2 / 3, abs=1e-6)
    assert figures["grounding.colour_shape_all_true_held_out"] == 0
    # The star's peak lies in its box, the ring's does not.
    assert figures["grounding.attention_peak_in_box"] == 0.5
    assert figures["grounding.attention_words"] == 2
    assert stale_figures(scenes) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("grounding.colour_shape_true", 0.99),
        ("grounding.attention_peak_in_box", 0.75),
        ("grounding.attention_words", 3),
        ("grounding.attention_peak_in_box", float("nan")),
        ("bleu_1", 0.99),
        ("bleu_1", float("nan")),
        ("bleu_1", float("inf")),
        ("caption_length", 9),
        ("images", 4),
        ("empty_captions", 1),
        ("distinct_words", 3),
    ],
)
def test_a_figure_edited_by_hand_does_not_pass_as_current_or_as_base(scenes, key, value):
    changed = edited(scenes, key, value)
    (reason,) = failed([*floor_checks(Limits(floors={"images": 0}), changed)])
    assert f"metrics/evaluate.json of run says {key} {value:.4f}, but its captions" in reason
    limits = Limits(largest_significant_drop={"bleu_1": 1})
    assert failed([*drop_checks(limits, changed, scenes)]) == [reason]
    assert reason in compare([Experiment("run", (changed,))], 1).notes
    (of_floor,) = failed([*floor_checks(Limits(floors={key: -9}), changed)])
    assert of_floor == reason or "is not a finite number" in of_floor


def test_a_figure_that_is_null_by_hand_does_not_pass_its_floor(scenes):
    changed = edited(scenes, "grounding.attention_peak_in_box", None)
    (reason,) = failed(
        [*floor_checks(Limits(floors={"grounding.attention_peak_in_box": 0}), changed)]
    )
    assert reason.endswith("metrics/evaluate.json of run holds no such number")


def test_grounding_without_the_objects_does_not_pass(tmp_path, scenes, monkeypatch):
    plain = [row.model_copy(update={"scene": None}) for row in PREDICTIONS]
    write_predictions(scenes.root / "data/predictions.jsonl", plain)
    limits = Limits(floors={"grounding.colour_shape_true": 0.5, "bleu_1": 0.1})
    (reason,) = failed([*floor_checks(limits, Revision("run", None, scenes.root))])
    assert reason.startswith("grounding.colour_shape_true: it can't be checked, because data/")


def test_peaks_of_another_caption_are_refused(tmp_path, scenes, monkeypatch):
    other = PREDICTIONS[0].model_copy(update={"caption": "a red star and a blue ring"})
    write_predictions(scenes.root / "data/predictions.jsonl", [other, *PREDICTIONS[1:]])
    with pytest.raises(InputError, match="run: image 'scene-0': the attention peaks do not belong"):
        stale_figures(Revision("run", None, scenes.root))


@pytest.fixture
def single(tmp_path, monkeypatch) -> Comparison:
    """Two runs on a test split of one image."""
    better = revision(tmp_path, PREDICTIONS[:1], monkeypatch, "better")
    other = PREDICTIONS[0].model_copy(update={"caption": "red star", "scene": None})
    worse = revision(tmp_path, [other], monkeypatch, "worse")
    return compare([Experiment(r.name, (r,)) for r in (better, worse)], 5)


NOTE = "cider_d is not defined: it weighs words by how few images' references contain them"


def test_cider_d_of_a_single_image_is_shown_as_not_defined(single):
    text = as_text(single)
    assert "  cider_d  not defined  not defined\n" in text
    assert re.search(r"\n  cider_d  - +- +not defined\n", text)
    assert f"Note: {NOTE}" in text and "nan" not in text
    assert "different captions for 1 of 1 images; some of them:\n  scene-0  not defined\n" in text
    markdown = as_markdown(single)
    assert r"| cider\_d | not defined |" in markdown and "nan" not in markdown


def test_cider_d_of_a_single_image_is_null_in_json(single):
    document = json.loads(as_json(single), parse_constant=pytest.fail)
    found = document["experiments"][0]["metrics"]["cider_d"]
    assert [found[key] for key in ("value", "low", "high", "runs")] == [None, None, None, [None]]
    assert document["experiments"][0]["metrics"]["bleu_1"]["value"] > 0
    difference = document["against_baseline"][0]["differences"]["cider_d"]
    assert difference["value"] is difference["p"] is None and not difference["significant"]
    assert difference["verdict"] == "not defined"
    assert document["against_baseline"][0]["changed_most"][0]["cider_d_after"] is None
    assert any(note.startswith(NOTE) for note in document["notes"])


def test_a_limit_on_a_figure_that_is_not_defined_does_not_pass(single):
    better, worse = (experiment.revisions[0] for experiment in single.experiments)
    limits = Limits(floors={"cider_d": 0}, largest_significant_drop={"cider_d": 9})
    assert failed([*floor_checks(limits, better)]) == [
        "cider_d: not defined for the captions of better"
    ]
    assert failed([*drop_checks(limits, better, worse)]) == [
        "cider_d: not defined for these images, so a drop can't be measured"
    ]
    # An older run that says 0.
    zero = edited(better, "cider_d", 0.0)
    reason = stale_figures(zero)["cider_d"]
    assert "says cider_d 0.0000, but it is not defined for its captions" in reason
