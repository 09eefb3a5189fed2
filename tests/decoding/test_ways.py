"""Rules about tokens, several captions, diverse beams, top-k and top-p, beside plain Python."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from known_decoders import FEATURES, LENGTH, TableDecoder, untrained_decoder
from simple_search import allowed, log_probabilities

from captioning.core.errors import InputError
from captioning.decoding.batches import decode_all
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.text import END, PAD, START

FLAT = {token: {4: 0.4, 5: 0.3, 6: 0.2, END: 0.1} for token in (START, 4, 5, 6)}


def simple_diverse_search(
    model,
    feature,
    width: int,
    groups: int = 1,
    diversity: float = 0.0,
    minimum_length: int = 0,
    no_repeat_ngram: int | None = None,
) -> list[tuple[list[int], float]]:
    """All beams with their log-probabilities, best first; without length penalty or cache."""
    beams = [[([START], 0.0)] for _ in range(groups)]
    for _ in range(LENGTH - 1):
        chosen: list[int] = []
        for group in range(groups):
            extended = []
            for caption, total in beams[group]:
                if caption[-1] == END:
                    extended.append((total, caption, total))
                    continue
                log_p = log_probabilities(model, feature, caption)
                for token in allowed(caption, minimum_length, no_repeat_ngram):
                    new = total + float(log_p[token])
                    score = new - diversity * chosen.count(token)
                    extended.append((score, [*caption, token], new))
            extended.sort(key=lambda beam: -beam[0])
            best = extended[: width // groups]
            chosen += [c[-1] for _, c, _ in best if c not in [old for old, _ in beams[group]]]
            beams[group] = [(caption, total) for _, caption, total in best]
    return sorted(itertools.chain(*beams), key=lambda beam: -beam[1])


def beams(width: int, **settings) -> DecodingSettings:
    return DecodingSettings(beam_width=width, length_penalty=0.0, **settings)


def check_beams(search, model, **settings) -> None:
    found = search.decode(FEATURES)
    for index, feature in enumerate(FEATURES):
        expected = simple_diverse_search(model, feature, search.beam_width, **settings)
        expected = expected[: search.captions]
        rows = found["tokens"][index].tolist()
        assert [[t for t in row if t != PAD] for row in rows] == [
            caption for caption, _ in expected
        ]
        totals = [total for _, total in expected]
        np.testing.assert_allclose(found["log_probability"][index], totals, rtol=1e-4)


@pytest.mark.slow
def test_beam_search_returns_its_best_captions_in_order():
    model = untrained_decoder()
    check_beams(make_decoder(model, beams(5), captions=4), model)


@pytest.mark.slow
@pytest.mark.parametrize("diversity", [0.0, 0.3, 5.0])
def test_diverse_beam_search_agrees_with_a_simple_one(diversity):
    model = untrained_decoder()
    settings = {"diversity": diversity}
    search = make_decoder(model, beams(6, beam_groups=3, **settings), captions=6)
    check_beams(search, model, groups=3, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [{"minimum_length": 3}, {"no_repeat_ngram": 1}, {"no_repeat_ngram": 2, "minimum_length": 4}],
    ids=str,
)
def test_forbidden_tokens_are_left_out_and_other_probabilities_stay(settings):
    model = untrained_decoder()
    check_beams(make_decoder(model, beams(4, **settings), captions=2), model, **settings)


@pytest.mark.parametrize("decoder", ["greedy", "sample", "beam"])
def test_a_minimum_length_delays_the_end(decoder):
    table = {START: {END: 0.9, 4: 0.1}, 4: {END: 0.9, 4: 0.1}}
    search = make_decoder(TableDecoder(table), DecodingSettings(decoder, minimum_length=3))
    assert search.decode(FEATURES)["tokens"][:, 0].tolist() == [[START, 4, 4, 4, END, PAD]] * len(
        FEATURES
    )


@pytest.mark.parametrize("decoder", ["greedy", "sample", "beam"])
@pytest.mark.parametrize(
    ("ngram", "expected"),
    [(1, [4, END]), (2, [4, 4, END]), (3, [4, 4, 4, END])],
)
def test_no_sequence_of_tokens_is_repeated(decoder, ngram, expected):
    table = {START: {4: 1.0}, 4: {4: 0.999, END: 0.001}}
    search = make_decoder(TableDecoder(table), DecodingSettings(decoder, no_repeat_ngram=ngram))
    caption = search.decode(FEATURES)["tokens"][0, 0].tolist()
    assert [token for token in caption if token not in (START, PAD)] == expected


def first_tokens(**settings: float) -> np.ndarray:
    """The first token of each of 4,000 sampled captions, from 4: 0.4, 5: 0.3, 6: 0.2, END: 0.1."""
    many = np.zeros((4000, 2, 2, 4), "float32")
    search = make_decoder(TableDecoder(FLAT), DecodingSettings("sample", seed=1, **settings))
    return decode_all(search, many, 1000)["tokens"][:, 0, 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({"top_k": 1}, {4: 1.0}),
        ({"top_k": 2}, {4: 4 / 7, 5: 3 / 7}),
        ({"top_k": 1000}, {4: 0.4, 5: 0.3, 6: 0.2, END: 0.1}),
        ({"top_p": 0.35}, {4: 1.0}),
        ({"top_p": 0.65}, {4: 4 / 7, 5: 3 / 7}),
        ({"top_p": 0.75}, {4: 4 / 9, 5: 3 / 9, 6: 2 / 9}),
        ({"top_p": 1.0}, {4: 0.4, 5: 0.3, 6: 0.2, END: 0.1}),
        # Of the two that top-k leaves, 4 alone has more than half.
        ({"top_k": 2, "top_p": 0.5}, {4: 1.0}),
        # At temperature 0.5, 4 has 16/30 and 5 has 9/30.
        ({"top_p": 0.6, "temperature": 0.5}, {4: 16 / 25, 5: 9 / 25}),
    ],
    ids=str,
)
def test_top_k_and_top_p_leave_out_what_is_improbable(settings, shares):
    found, counts = np.unique(first_tokens(**settings), return_counts=True)
    assert set(found.tolist()) == set(shares)
    for token, count in zip(found.tolist(), counts, strict=True):
        assert count / counts.sum() == pytest.approx(shares[token], abs=0.03)


def test_several_sampled_captions_come_with_their_own_probabilities_best_first():
    search = make_decoder(
        TableDecoder(FLAT), DecodingSettings("sample", seed=3, top_k=2), captions=5
    )
    found = search.decode(FEATURES)
    assert found["tokens"].shape == (len(FEATURES), 5, LENGTH)
    p = {token: np.log(share) for token, share in FLAT[START].items()}
    for tokens, totals in zip(found["tokens"], found["log_probability"], strict=True):
        assert (np.diff(totals) <= 0).all()
        # Probabilities are those of the model, among all tokens.
        expected = [sum(p[t] for t in row[1:].tolist() if t != PAD) for row in tokens]
        np.testing.assert_allclose(totals, expected, rtol=1e-4)
    assert len({tuple(row) for row in found["tokens"].reshape(-1, LENGTH).tolist()}) > 1


@pytest.mark.parametrize(
    ("settings", "captions", "message"),
    [
        ({}, 4, "4 captions need a beam width of at least 4, not 3"),
        ({}, 0, "number of captions must be 1 or more, not 0"),
        ({"decoder": "greedy"}, 2, "greedy decoding finds one caption only"),
        ({"minimum_length": 5}, 1, r"minimum_length \(5\) is larger than 4"),
    ],
)
def test_what_a_search_cannot_do_is_refused(settings, captions, message):
    with pytest.raises(InputError, match=message):
        make_decoder(TableDecoder(FLAT), DecodingSettings(**settings), captions)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["greedy", "beam"])
def test_rules_that_forbid_nothing_change_nothing(decoder):
    model = untrained_decoder()
    plain = make_decoder(model, DecodingSettings(decoder)).decode(FEATURES)
    settings = DecodingSettings(decoder, no_repeat_ngram=LENGTH)
    for name, value in make_decoder(model, settings).decode(FEATURES).items():
        np.testing.assert_array_equal(plain[name], value)
