"""Caption metrics, compared with COCO-caption's own code and computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from coco_scores import coco_score, corpus
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from sacrebleu.metrics.bleu import BLEU

from captioning.evaluation.metrics import METRICS, aggregate, bootstrap, image_statistics
from captioning.evaluation.words import ScoringTokenizer


@pytest.mark.parametrize(("seed", "images"), [(0, 300), (1, 40), (2, 500), (3, 120)])
def test_bleu_equals_coco_captions(seed, images):
    predictions, references = corpus(seed, images)
    assert any(not caption for caption in predictions)
    expected = coco_score(Bleu(4), predictions, references)[0]
    metrics = aggregate(image_statistics(predictions, references))
    np.testing.assert_allclose(
        [metrics[f"bleu_{order}"] for order in (1, 2, 3, 4)], expected, atol=1e-6
    )


def test_bleu_equals_coco_captions_on_hundreds_of_small_corpora():
    compared = unmatched = 0
    for seed in range(300):
        predictions, references = corpus(100 + seed, images=3, shortest=1)
        expected = coco_score(Bleu(4), predictions, references)[0]
        statistics = image_statistics(predictions, references)
        metrics = aggregate(statistics)
        for order in (1, 2, 3, 4):
            if statistics.matches[:, order - 1].sum():
                assert metrics[f"bleu_{order}"] == pytest.approx(expected[order - 1], abs=1e-6)
                compared += 1
            else:
                # COCO-caption takes 1e-15 matches of 1e-9 more n-grams instead of none: crumbs
                # after the root, up to a fourth root of 1e-6 where no caption has four words.
                crumb = 1e-3 if statistics.ngrams[:, order - 1].sum() else 0.04
                assert metrics[f"bleu_{order}"] == 0 <= expected[order - 1] < crumb
                unmatched += 1
    assert compared > 600
    assert unmatched > 100


def test_bleu_computed_by_hand():
    # Six words; of the n-grams 6/6, 3/5, 1/4 and 0/3 are found; the closest reference has 6 words.
    metrics = aggregate(
        image_statistics(["a dog runs on the sand"], [["a dog runs in the sand", "on a hill"]])
    )
    assert metrics["bleu_1"] == pytest.approx(6 / 6)
    assert metrics["bleu_2"] == pytest.approx(math.sqrt(6 / 6 * 3 / 5))
    assert metrics["bleu_3"] == pytest.approx((6 / 6 * 3 / 5 * 1 / 4) ** (1 / 3))
    assert metrics["bleu_4"] == 0


def test_the_brevity_penalty_uses_the_reference_closest_in_length():
    # References of 2 and 6 words are equally far from 4: the shorter one counts, so no penalty.
    near = aggregate(image_statistics(["a b c d"], [["a b", "a b c d e f"]]))
    assert near["bleu_1"] == pytest.approx(1)
    far = aggregate(image_statistics(["a b c d"], [["a b c d e f"]]))
    assert far["bleu_1"] == pytest.approx(math.exp(1 - 6 / 4))


def test_rouge_l_and_cider_d_are_coco_captions():
    predictions, references = corpus(5, images=200)
    statistics = image_statistics(predictions, references)
    rouge, rouges = coco_score(Rouge(), predictions, references)
    cider, ciders = coco_score(Cider(), predictions, references)
    np.testing.assert_allclose(statistics.rouge_l, rouges, atol=1e-12)
    np.testing.assert_allclose(statistics.cider_d, ciders, atol=1e-12)
    metrics = aggregate(statistics)
    assert metrics["rouge_l"] == pytest.approx(float(rouge))
    assert metrics["cider_d"] == pytest.approx(float(cider))


def test_rouge_l_computed_by_hand():
    # Longest common subsequence "a dog the sand": precision 4/5, recall 4/6; beta is 1.2.
    precision, recall, beta = 4 / 5, 4 / 6, 1.2
    expected = (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
    statistics = image_statistics(["a dog by the sand"], [["a dog runs in the sand"]])
    assert statistics.rouge_l.tolist() == pytest.approx([expected])


def test_cider_d_computed_by_hand():
    # Three images, so a word of one image's references weighs log 3, one of two log 1.5.
    # Image 0: "a b" against "a c": a is in two images. Unigrams alone have a match:
    # cosine log(1.5)^2 / (norm of (a, b) * norm of (a, c)); b is in no reference: weight log 3.
    # Bigrams, trigrams, fourgrams give 0; equal lengths, no length penalty; times 10 over 4.
    weight, rare = math.log(1.5), math.log(3)
    expected = 10 / 4 * weight**2 / (weight**2 + rare**2)
    statistics = image_statistics(["a b", "x", "p q r s"], [["a c"], ["a"], ["p q r s"]])
    assert statistics.cider_d.tolist() == pytest.approx([expected, 0, 10])


def test_cider_d_penalizes_other_lengths():
    # Against "p q" a caption of one more bigram loses exp(-1 / (2 * 6^2)) besides the cosine.
    same, longer = (
        image_statistics([caption, "x"], [["p q"], ["x"]]).cider_d[0]
        for caption in ("p q", "p p q")
    )
    unigrams = (1 + 1) / (math.sqrt(5) * math.sqrt(2))  # Clipped: the second p is not rewarded.
    bigrams = 1 / math.sqrt(2)
    assert same == pytest.approx(5)
    assert longer == pytest.approx(10 / 4 * (unigrams + bigrams) * math.exp(-1 / 72))


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    statistics = image_statistics(*corpus(8, images=600))
    values = bootstrap(statistics, samples=2000, seed=3)["rouge_l"]
    error = statistics.rouge_l.std() / math.sqrt(600)
    assert values.std() == pytest.approx(error, rel=0.1)
    assert values.mean() == pytest.approx(statistics.rouge_l.mean(), abs=error / 10)


def test_resamples_follow_the_seed_and_are_the_same_for_all_systems():
    predictions, references = corpus(9, images=60)
    statistics = image_statistics(predictions, references)
    values = bootstrap(statistics, samples=100, seed=5)
    again = bootstrap(statistics, samples=100, seed=5)
    other = bootstrap(statistics, samples=100, seed=6)
    for metric in METRICS:
        assert values[metric].tolist() == again[metric].tolist()
        assert values[metric].tolist() != other[metric].tolist()
    # A system that is better on every image is better in every resample.
    better = bootstrap(image_statistics([r[0] for r in references], references), 100, seed=5)
    assert (better["rouge_l"] > values["rouge_l"]).all()


def test_an_image_counts_as_often_as_a_resample_draws_it():
    predictions, references = corpus(10, images=6, shortest=4)
    chosen = np.array([0, 0, 3, 5, 5, 5])
    drawn = aggregate(image_statistics(predictions, references), chosen)
    repeated = aggregate(
        image_statistics([predictions[i] for i in chosen], [references[i] for i in chosen])
    )
    for metric in METRICS[:-1]:  # CIDEr-D's document frequencies stay those of all images.
        assert drawn[metric] == pytest.approx(repeated[metric])


def test_references_without_a_word_are_left_out():
    # Otherwise an empty caption would match one perfectly in ROUGE-L.
    statistics = image_statistics(["", "a dog"], [["...", "a dog"], ["a dog", ""]])
    assert statistics.rouge_l.tolist() == [0, 1]


KOREAN = ["빨간 별이 왼쪽에 있다", "파란 원", "노란 사각형이 있습니다", ""]
KOREAN_REFERENCES = [
    ["빨간 별이 왼쪽에 있습니다.", "별 하나"],
    ["파란 원이 있다!", "파란 동그라미"],
    ["노란 사각형이 있다", "사각형"],
    ["초록 하트"],
]
CHINESE = ["一只狗在跑", "两只 red 猫"]
CHINESE_REFERENCES = [["一只小狗在草地上跑。", "狗在跑"], ["两只红猫 red", "猫"]]


@pytest.mark.parametrize(
    ("tokenizer", "predictions", "references"),
    [
        ("char", KOREAN, KOREAN_REFERENCES),
        ("char", CHINESE, CHINESE_REFERENCES),
        ("zh", CHINESE, CHINESE_REFERENCES),
        ("none", KOREAN, KOREAN_REFERENCES),
    ],
)
def test_all_metrics_compare_the_same_words(tokenizer, predictions, references):
    statistics = image_statistics(predictions, references, ScoringTokenizer(tokenizer))
    metrics = aggregate(statistics)
    # sacrebleu's own figure, with its tokenizer, on the standardised text.

    def plain(text: str) -> str:
        return ScoringTokenizer()([text])[0]

    sacrebleu = BLEU(tokenize=tokenizer, smooth_method="none", max_ngram_order=2)
    numbers = range(max(map(len, references)))
    streams = [[plain(g[n]) if n < len(g) else None for g in references] for n in numbers]
    expected = sacrebleu.corpus_score([plain(caption) for caption in predictions], streams)
    assert metrics["bleu_2"] == pytest.approx(expected.score / 100, abs=1e-9) and expected.score
    # COCO-caption's own figures on the words that sacrebleu finds.
    cut = [" ".join(sacrebleu.tokenizer(plain(caption)).split()) for caption in predictions]
    given = [[" ".join(sacrebleu.tokenizer(plain(r)).split()) for r in g] for g in references]
    np.testing.assert_allclose(statistics.rouge_l, coco_score(Rouge(), cut, given)[1])
    np.testing.assert_allclose(statistics.cider_d, coco_score(Cider(), cut, given)[1])


def test_characters_match_where_words_differ_in_their_endings():
    words, characters = (
        aggregate(image_statistics(KOREAN, KOREAN_REFERENCES, ScoringTokenizer(tokenizer)))
        for tokenizer in ("none", "char")
    )
    assert words["bleu_4"] == 0 < characters["bleu_4"]
