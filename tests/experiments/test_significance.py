"""Paired tests, compared with sacrebleu's and computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from captioning.evaluation.metrics import METRICS, image_statistics
from captioning.experiments.significance import (
    Difference,
    Run,
    interval,
    paired_differences,
    seed_margin,
    spread,
)

pytestmark = pytest.mark.usefixtures("fewer_exchanges")
WORDS = [f"w{number}" for number in range(9)]


def references(images: int) -> list[list[str]]:
    random = np.random.default_rng(0)
    return [[" ".join(random.choice(WORDS, 8)) for _ in range(3)] for _ in range(images)]


def spoilt(given: list[list[str]], share: float, seed: int) -> list[str]:
    """The first references, with a share of the words wrong."""
    random = np.random.default_rng(seed)
    return [
        " ".join("wrong" if random.random() < share else word for word in first.split())
        for first, *_ in given
    ]


def run(captions: list[str], given: list[list[str]]) -> Run:
    return Run.of(image_statistics(captions, given))


def sacrebleu_p(before: list[str], after: list[str], given: list[list[str]]) -> float:
    """Approximate randomization of BLEU-4 by sacrebleu."""
    bleu = BLEU(lowercase=True, tokenize="none", smooth_method="none")
    streams = [list(stream) for stream in zip(*given, strict=True)]
    test = PairedTest([("a", before), ("b", after)], {"BLEU": bleu}, streams, "ar", 3000)
    return test()[1]["BLEU"][1].p_value


@pytest.mark.parametrize(("share", "seed"), [(0.3, 2), (0.33, 1), (0.35, 3), (0.36, 4)])
def test_p_agrees_with_sacrebleu(share, seed):
    given = references(120)
    before, after = spoilt(given, 0.3, 1), spoilt(given, share, seed)
    found = paired_differences([run(before, given)], [run(after, given)])["bleu_4"]
    # Two estimates from 1000 and 3000 exchanges: four standard errors.
    expected = sacrebleu_p(before, after, given)
    assert found.p == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 1000 + 0.25 / 3000))
    assert found.value < 0


def test_one_changed_caption_is_noise():
    given = references(60)
    before = spoilt(given, 0.2, 1)
    after = ["wrong", *before[1:]]
    found = paired_differences([run(before, given)], [run(after, given)])
    assert all(difference.p == 1 and not difference.significant for difference in found.values())
    # Why ties count here.
    assert sacrebleu_p(before, after, given) < 0.001


@pytest.mark.parametrize("changed", [5, 6, 7])
def test_p_equals_that_of_a_sign_test_if_all_changed_captions_lose_alike(changed):
    given = [[f"a{number} b{number} c{number} d{number} e{number}"] for number in range(40)]
    before = [first for (first,) in given]
    after = ["x y z u v"] * changed + before[changed:]
    found = paired_differences([run(before, given)], [run(after, given)])
    for metric in METRICS:
        assert found[metric].p == pytest.approx(2 * 0.5**changed, abs=0.025)


def test_equal_systems_differ_by_nothing():
    given = references(30)
    one = run(spoilt(given, 0.3, 1), given)
    for difference in paired_differences([one], [one]).values():
        assert difference == Difference(0, 0, 0, 1, None)
        assert difference.verdict == "not significant"


def test_a_real_drop_is_significant_and_the_seed_is_fixed():
    given = references(60)
    before, after = run(spoilt(given, 0.2, 1), given), run(spoilt(given, 0.6, 2), given)
    found = paired_differences([before], [after])
    assert found == paired_differences([before], [after])
    for metric, difference in found.items():
        assert difference.value == after.metrics[metric] - before.metrics[metric]
        assert difference.low < difference.value < difference.high < 0
        assert difference.verdict == "significant" and difference.p == 1 / 1001


def test_the_interval_of_a_mean_is_that_of_paired_differences():
    given = references(400)
    before, after = run(spoilt(given, 0.3, 1), given), run(spoilt(given, 0.32, 1), given)
    found = paired_differences([before], [after])["cider_d"]
    paired = after.statistics.cider_d - before.statistics.cider_d
    error = paired.std() / math.sqrt(400)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.15)
    low, high = interval(before.resampled["cider_d"])
    assert high - low > 2 * (found.high - found.low)  # Pairing is what makes it narrow.


@pytest.mark.slow
def test_noise_is_rarely_significant():
    given = references(40)
    runs = [run(spoilt(given, 0.3, seed), given) for seed in range(14)]
    pairs = zip(runs[::2], runs[1::2], strict=True)
    found = [paired_differences([one], [other])["bleu_1"].p for one, other in pairs]
    assert sum(p < 0.05 for p in found) <= 2
    assert max(found) > 0.4


def test_spread_and_margin_over_seeds_computed_by_hand():
    def fake(value: float) -> Run:
        return Run(image_statistics(["a"], [["a"]]), {"bleu_1": value}, {})

    before, after = [fake(0.5)], [fake(0.6), fake(0.62), fake(0.64)]
    assert spread(before, "bleu_1") is None
    assert spread(after, "bleu_1") == pytest.approx(0.02)
    # Student's t with 2 degrees of freedom: 4.303.
    expected = 4.303 * 0.02 * math.sqrt(1 + 1 / 3)
    assert seed_margin(before, after, "bleu_1") == pytest.approx(expected)
    assert seed_margin(before, before, "bleu_1") is None
    # Both variances count, by their degrees of freedom: (2 * 0.02^2 + 0.08^2 / 2) / 3.
    pooled = math.sqrt((2 * 0.02**2 + 0.0032) / 3)
    expected = 3.182 * pooled * math.sqrt(1 / 2 + 1 / 3)
    margin = seed_margin([fake(0.5), fake(0.58)], after, "bleu_1")
    assert margin == pytest.approx(expected)
    many = seed_margin([fake(0.5)] * 20, [fake(0.4), fake(0.6)] * 10, "bleu_1")
    deviation = math.sqrt(20 * 0.01 / 38)
    assert many == pytest.approx(2.024 * deviation * math.sqrt(0.1), rel=0.001)


def test_a_difference_that_seeds_explain_is_not_significant():
    assert Difference(-0.1, -0.2, -0.05, 0.001, 0.15).verdict == "within the spread of seeds"
    assert Difference(-0.1, -0.2, -0.05, 0.001, 0.05).verdict == "significant"
    assert Difference(-0.1, -0.2, 0.05, 0.2, 0.05).verdict == "not significant"


def test_the_mean_of_several_runs_is_compared():
    given = references(40)
    before = [run(spoilt(given, 0.2, 1), given)]
    after = [run(spoilt(given, 0.6, seed), given) for seed in (2, 3, 4)]
    for metric, difference in paired_differences(before, after).items():
        expected = sum(one.metrics[metric] for one in after) / 3 - before[0].metrics[metric]
        assert difference.value == pytest.approx(expected)
        assert difference.p == 1 / 1001 and difference.seed_margin > 0
