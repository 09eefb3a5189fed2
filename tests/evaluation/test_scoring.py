"""The report on captions: intervals, counts, signature."""

from __future__ import annotations

import pytest
from coco_scores import corpus

from captioning.core.errors import InputError
from captioning.evaluation import scoring
from captioning.evaluation.metrics import METRICS
from captioning.evaluation.scoring import score
from captioning.evaluation.words import ScoringTokenizer


def test_text_is_standardized_before_scoring():
    report = score(["A dog, running!", "x"], [["a DOG running."], ["X"]], 100, 1).figures
    assert report["bleu_3"] == report["bleu_1"] == report["rouge_l"] == 1


def test_intervals_contain_the_metric_and_shrink_with_more_images():
    width = {}
    for images in (50, 800):
        scores = score(*corpus(7, images), bootstrap_samples=300, seed=1)
        for metric in METRICS:
            interval = scores.intervals[metric]
            assert interval["value"] == scores.figures[metric]
            assert interval["low"] < interval["value"] < interval["high"]
            width[metric, images] = interval["high"] - interval["low"]
    for metric in METRICS:
        # Sixteen times the images: a quarter of the width.
        assert 0.1 < width[metric, 800] / width[metric, 50] < 0.5


def test_the_report_contains_metrics_counts_and_a_signature():
    report, intervals = score(
        ["A dog.", "a cat", "", "a bird sings"],
        [["a dog", "the dog"], ["a cat"], ["a bird"], ["a bird sings here", "it sings"]],
        bootstrap_samples=100,
        seed=4,
        train_captions={"a dog", "a cow"},
    )
    assert set(report) == {
        *METRICS,
        "caption_length",
        "distinct_captions",
        "distinct_words",
        "empty_captions",
        "images",
        "share_not_in_training",
    }
    assert set(intervals) == {*METRICS, "signature"}
    assert report["distinct_captions"] == 4
    assert report["caption_length"] == 7 / 4
    assert report["distinct_words"] == 5
    assert report["empty_captions"] == 1
    assert report["images"] == 4
    assert report["share_not_in_training"] == 3 / 4
    for part in (
        "nrefs:var|case:lc|eff:no|tok:none|smooth:none|version:",
        "pycocoevalcap:",
        "bootstrap over images:100|percentile:95|seed:4",
    ):
        assert part in intervals["signature"]


def test_the_share_not_in_training_needs_the_train_captions():
    scores = score(["a", "b"], [["a", "c"], ["b", "d"]], 100, 1)
    assert "share_not_in_training" not in scores.figures
    assert "nrefs:2|" in scores.intervals["signature"]


def test_train_captions_are_read_in_chunks(monkeypatch):
    monkeypatch.setattr(scoring, "_CHUNK", 2)
    train = (caption for caption in ["A dog.", "x", "y", "z", "a CAT"])
    report = score(["a dog", "a cat", "a cow"], [["a"]] * 3, 100, 1, train).figures
    assert report["share_not_in_training"] == pytest.approx(1 / 3, abs=1e-6)


def test_the_report_names_the_tokenizer():
    tokenizer = ScoringTokenizer("char", "nfkc")
    report, intervals = score(["ＡＢ", "c d"], [["ab."], ["cd", "x"]], 100, 1, {"a b"}, tokenizer)
    assert report["bleu_2"] == report["rouge_l"] == 1
    assert report["caption_length"] == 2 and report["distinct_words"] == 4
    assert report["share_not_in_training"] == 0.5
    signature = intervals["signature"]
    assert "|tok:char|" in signature and "text NFKC lower case" in signature


def test_empty_captions_score_nothing():
    report, intervals = score(["", "..."], [["a dog runs by"], ["a cat"]], 100, 1)
    assert [report[metric] for metric in METRICS] == [0] * 6
    assert intervals["bleu_4"] == {"value": 0, "low": 0, "high": 0}
    assert report["empty_captions"] == 2


def test_cider_d_and_intervals_of_a_single_image_are_not_defined():
    report, intervals = score(["a red star"], [["a red star on a wall", "a star"]], 100, 1)
    assert report["cider_d"] is None and report["bleu_1"] > 0 and report["bleu_4"] == 0
    assert report["notes"] == [
        "cider_d is not defined: it weighs words by how few images' references contain them, so "
        "it needs two images with different references"
    ]
    assert intervals["cider_d"] == {"value": None, "low": None, "high": None}
    assert intervals["bleu_1"] == {"value": report["bleu_1"], "low": None, "high": None}


def test_cider_d_is_not_defined_for_images_with_the_same_references():
    references = [["a red star"], ["a red star"]]
    assert score(["a red star", "a dog"], references, 100, 1).figures["cider_d"] is None
    other = score(["a red star", "a dog"], [references[0], ["a red dog"]], 100, 1)
    assert other.figures["cider_d"] > 0


def test_bleu_of_more_words_than_any_reference_has_is_not_defined():
    report, intervals = score(["a dog", "cat"], [["a dog"], ["cat", "a cat"]], 100, 1)
    assert report["bleu_1"] == report["bleu_2"] == 1
    assert report["bleu_3"] is report["bleu_4"] is None
    assert report["notes"] == [
        f"bleu_{n} is not defined: no reference has {n} words" for n in (3, 4)
    ]
    assert intervals["bleu_4"] == {"value": None, "low": None, "high": None}
    # A reference that is long enough makes 0 a figure like any other.
    assert score(["a dog"], [["a dog runs by"]], 100, 1).figures["bleu_4"] == 0


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (["a"], [["a"], ["b"]], "1 captions but references for 2 images"),
        ([], [], "no caption to score"),
        (["a", "b"], [["a"], []], "image 1 .* has no reference with a word in it"),
        (["a", "b"], [["?"], ["b"]], "image 0 .* has no reference with a word in it"),
    ],
)
def test_input_that_cannot_be_scored_is_refused(predictions, references, message):
    with pytest.raises(InputError, match=message):
        score(predictions, references, 100, 1)
