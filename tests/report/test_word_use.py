"""Statistics of words: counts, lengths, and evidence that a word is used more or less."""

from __future__ import annotations

import math

import pytest

from captioning.report.word_use import word_statistics


def test_words_and_lengths_are_counted():
    found = word_statistics(["a dog", "a cat", ""], [["a dog runs", "dog"], ["cat"], ["bird"]], 5)
    assert (found.distinct, found.distinct_in_references, found.shared) == (3, 5, 3)
    assert found.lengths == {0: 1, 2: 2}
    assert found.reference_lengths == {1: 3, 3: 1}
    assert [use.word for use in found.frequent] == ["a", "cat", "dog"]
    assert found.frequent[0].captions == pytest.approx(500)
    assert found.frequent[0].references == pytest.approx(1000 / 6)


def test_evidence_is_the_log_likelihood_ratio():
    """20 of 100 words against 10 of 200, worked out by hand."""
    captions = ["x"] * 20 + ["y"] * 80
    references = [["x"]] * 10 + [["y"]] * 190
    found = word_statistics(captions, references, 5)
    expected = 2 * (20 * math.log(20 / 10) + 10 * math.log(10 / 20))
    assert [use.word for use in found.overused] == ["x"]
    assert found.overused[0].evidence == pytest.approx(expected)


def test_words_that_are_clearly_less_used_are_listed_strongest_first():
    references = [["big"]] * 60 + [["red"]] * 30 + [["dog"]] * 110
    found = word_statistics(["dog"] * 200, references, 5)
    assert [use.word for use in found.underused] == ["big", "red"]
    assert [use.word for use in found.overused] == ["dog"]
    assert all(use.evidence < 0 for use in found.underused)


def test_equal_use_is_no_evidence():
    found = word_statistics(["a dog"] * 50, [["a dog"]] * 50, 5)
    assert not found.overused and not found.underused
