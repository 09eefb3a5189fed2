"""Sampling beside plain Python: the same random numbers give the same captions, in every batch."""

from __future__ import annotations

import numpy as np
import pytest
from known_decoders import FEATURES, LENGTH, VOCABULARY, untrained_decoder
from simple_search import allowed, log_probabilities

from captioning.decoding.random_numbers import stream_of, uniform_numbers
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.text import END, PAD, START


def simple_sample(
    model, feature, numbers: np.ndarray, settings: DecodingSettings
) -> tuple[list[int], float]:
    """One caption and its log-probability; every prefix is computed again, token by token."""
    caption, total = [START], 0.0
    for number in numbers.tolist():
        log_p = log_probabilities(model, feature, caption)
        rules = settings.minimum_length, settings.no_repeat_ngram
        weights = np.zeros(VOCABULARY)
        weights[allowed(caption, *rules)] = 1.0
        weights *= np.exp(log_p.astype(float) / settings.temperature)
        likely = np.argsort(-weights)
        if settings.top_k is not None:
            weights[likely[settings.top_k :]] = 0
        if settings.top_p is not None:
            shares = weights / weights.sum()
            before = np.cumsum(shares[likely]) - shares[likely]
            weights[likely[before >= settings.top_p]] = 0
        cumulative = np.cumsum(weights / weights.sum())
        token = int(np.argmax(cumulative > number))
        caption.append(token)
        total += float(log_p[token])
        if token == END:
            break
    return caption, total


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.6, "seed": 1},
        {"top_k": 3, "seed": 2},
        {"top_p": 0.7, "seed": 3},
        {
            "temperature": 1.5,
            "top_k": 5,
            "top_p": 0.8,
            "minimum_length": 3,
            "no_repeat_ngram": 1,
            "seed": 4,
        },
    ],
    ids=str,
)
def test_sampled_captions_agree_with_drawing_token_by_token(settings):
    model, settings = untrained_decoder(), DecodingSettings("sample", **settings)
    found = make_decoder(model, settings, captions=4).decode(FEATURES)
    numbers = uniform_numbers([settings.seed] * 3, range(3), 4 * (LENGTH - 1))
    for image, feature in enumerate(FEATURES):
        each = numbers[image].reshape(4, LENGTH - 1)
        expected = [simple_sample(model, feature, row, settings) for row in each]
        expected.sort(key=lambda caption: -caption[1])
        rows = found["tokens"][image].tolist()
        assert [[t for t in row if t != PAD] for row in rows] == [tokens for tokens, _ in expected]
        totals = [total for _, total in expected]
        np.testing.assert_allclose(found["log_probability"][image], totals, rtol=1e-4)


MIXED = {
    "sample": [
        DecodingSettings("sample", temperature=0.5, top_p=0.9, seed=1),
        DecodingSettings("sample", temperature=2.0, top_p=0.6, seed=2),
        DecodingSettings("sample", temperature=1.0, top_p=1.0, seed=3),
    ],
    "beam": [
        DecodingSettings(beam_width=4, beam_groups=2, diversity=3.0, length_penalty=0.0),
        DecodingSettings(beam_width=4, beam_groups=2, diversity=0.0, length_penalty=2.0),
        DecodingSettings(beam_width=4, beam_groups=2, diversity=0.5, length_penalty=1.0),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("decoder", MIXED)
def test_numbers_of_each_image_in_one_batch_give_what_separate_runs_give(decoder):
    model, mixed = untrained_decoder(), MIXED[decoder]
    together = make_decoder(model, mixed[0], captions=2).decode(FEATURES, mixed)
    alone = [make_decoder(model, settings, captions=2).decode(FEATURES) for settings in mixed]
    for image, found in enumerate(alone):
        np.testing.assert_array_equal(together["tokens"][image], found["tokens"][image])
        np.testing.assert_allclose(
            together["log_probability"][image], found["log_probability"][image], rtol=1e-5
        )
    assert any((found["tokens"] != alone[0]["tokens"]).any() for found in alone[1:])


@pytest.mark.slow
@pytest.mark.parametrize("decoder", MIXED)
def test_other_numbers_cause_no_new_trace(decoder):
    mixed = MIXED[decoder]
    search = make_decoder(untrained_decoder(), mixed[0])
    for settings in mixed:
        search.decode(FEATURES, settings, streams=[7, 8, 9])
    assert search.predict_function.experimental_get_tracing_count() == 1


@pytest.mark.slow
def test_a_sampled_caption_depends_on_seed_and_stream_and_not_on_its_batch():
    search = make_decoder(untrained_decoder(), DecodingSettings("sample", seed=5))
    among_others, alone = search.decode(FEATURES), search.decode(FEATURES[1:2], streams=[1])
    np.testing.assert_array_equal(among_others["tokens"][1:2], alone["tokens"])
    twice = search.decode(np.repeat(FEATURES[:1], 20, axis=0))
    assert len({tuple(row) for row in twice["tokens"][:, 0].tolist()}) > 3


def test_settings_of_another_graph_are_refused():
    search = make_decoder(untrained_decoder(), DecodingSettings("sample"))
    with pytest.raises(ValueError, match="needs another search"):
        search.make_inputs(FEATURES, DecodingSettings("sample", top_k=2))
    with pytest.raises(ValueError, match="2 settings for 3 images"):
        search.make_inputs(FEATURES, [DecodingSettings("sample")] * 2)


def test_random_numbers_are_uniform_and_always_the_same():
    numbers = uniform_numbers([0, 0, 1, 2**31 - 1], [0, 1, 0, 2**64 - 1], 10_000)
    assert numbers.dtype == np.float32 and numbers.shape == (4, 10_000)
    assert numbers.min() >= 0 and numbers.max() < 1
    np.testing.assert_allclose(numbers.mean(axis=1), 0.5, atol=0.02)
    assert abs(np.corrcoef(numbers) - np.eye(4)).max() < 0.05
    np.testing.assert_array_equal(uniform_numbers([1], [0], 5)[0], numbers[2, :5])
    assert uniform_numbers([], [], 5).shape == (0, 5)


def test_the_stream_of_a_name_is_a_whole_number_of_64_bits():
    assert stream_of("scene-test-000000") == 0x7A30AE8F67A47803
    assert stream_of("a") != stream_of("b")
