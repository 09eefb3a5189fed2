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
    report = score(["A dog, running!", "x"], [["a DOG running."], ["X"]], 100, 1)
    assert report["bleu_3"] == report["bleu_1"] == report["rouge_l"] == 1


def test_intervals_contain_the_metric_and_shrink_with_more_images():
    width = {}
    for images in (50, 800):
        report = score(*corpus(7, images), bootstrap_samples=300, seed=1)
        for metric in METRICS:
            interval = report["interval"][metric]
            assert interval["low"] < report[metric] < interval["high"]
            width[metric, images] = interval["high"] - interval["low"]
    for metric in METRICS:
        # Sixteen times the images: a quarter of the width.
        assert 0.1 < width[metric, 800] / width[metric, 50] < 0.5


def test_the_report_contains_metrics_counts_and_a_signature():
    report = score(
        ["A dog.", "a cat", "", "a bird sings"],
        [["a dog", "the dog"], ["a cat"], ["a bird"], ["a bird sings", "it sings"]],
        bootstrap_samples=100,
        seed=4,
        train_captions={"a dog", "a cow"},
    )
    assert set(report) == {
        *METRICS,
        "interval",
        "caption_length",
        "distinct_words",
        "empty_captions",
        "images",
        "share_not_in_training",
        "signature",
    }
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
        assert part in report["signature"]


def test_the_share_not_in_training_needs_the_train_captions():
    report = score(["a", "b"], [["a", "c"], ["b", "d"]], 100, 1)
    assert "share_not_in_training" not in report
    assert "nrefs:2|" in report["signature"]


def test_train_captions_are_read_in_chunks(monkeypatch):
    monkeypatch.setattr(scoring, "_CHUNK", 2)
    train = (caption for caption in ["A dog.", "x", "y", "z", "a CAT"])
    report = score(["a dog", "a cat", "a cow"], [["a"]] * 3, 100, 1, train)
    assert report["share_not_in_training"] == pytest.approx(1 / 3, abs=1e-6)


def test_the_report_names_the_tokenizer():
    tokenizer = ScoringTokenizer("char", "nfkc")
    report = score(["ＡＢ", "c d"], [["ab."], ["cd", "x"]], 100, 1, {"a b"}, tokenizer)
    assert report["bleu_2"] == report["rouge_l"] == 1
    assert report["caption_length"] == 2 and report["distinct_words"] == 4
    assert report["share_not_in_training"] == 0.5
    assert "|tok:char|" in report["signature"] and "text NFKC lower case" in report["signature"]


def test_empty_captions_score_nothing():
    report = score(["", "..."], [["a dog"], ["a cat"]], 100, 1)
    assert [report[metric] for metric in METRICS] == [0] * 6
    assert report["interval"]["bleu_4"] == {"low": 0, "high": 0}
    assert report["empty_captions"] == 2


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
