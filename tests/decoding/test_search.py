"""The search methods find the captions that are best by definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from keras import ops
from known_decoders import (
    FEATURES,
    LENGTH,
    VOCABULARY,
    TableDecoder,
    found_tokens,
    untrained_decoder,
)

from captioning.decoding.batches import decode_all
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.text import BANNED, END, PAD, START

WORDS = [token for token in range(VOCABULARY) if token not in (*BANNED, END)]

GREEDY = DecodingSettings("greedy")


def beams(width: int, length_penalty: float) -> DecodingSettings:
    return DecodingSettings(beam_width=width, length_penalty=length_penalty)


# Greedy decoding takes 4 (0.6), but no continuation of it is likely. 5 starts the best caption.
MISLEADING = {
    START: {4: 0.6, 5: 0.4},
    4: {6: 0.3, 7: 0.3, 8: 0.3, END: 0.1},
    5: {END: 0.9, 6: 0.1},
    6: {END: 1.0},
    7: {END: 1.0},
    8: {END: 1.0},
}


def best_of_all_captions(model, feature) -> tuple[list[int], float]:
    """The most probable caption and its log-probability, found by trying every caption."""
    candidates = [
        [START, *words, END]
        for length in range(LENGTH - 1)
        for words in itertools.product(WORDS, repeat=length)
    ]
    # Captions of the maximum length may end without END.
    candidates += [[START, *words] for words in itertools.product(WORDS, repeat=LENGTH - 1)]
    ids = np.array([row + [PAD] * (LENGTH - len(row)) for row in candidates], "int32")
    features = np.repeat(feature[None], len(ids), axis=0)
    log_p = ops.log_softmax(model({"features": features, "tokens": ids[:, :-1]}))
    each = np.take_along_axis(ops.convert_to_numpy(log_p), ids[:, 1:, None], axis=-1)[..., 0]
    totals = np.where(ids[:, 1:] == PAD, 0, each).sum(axis=1)
    best = int(totals.argmax())
    return candidates[best], float(totals[best])


def simple_beam_search(model, feature, width: int, penalty: float) -> tuple[list[int], float]:
    """Beam search without cache: every prefix is computed again, all extensions in one list."""
    beams = [([START], 0.0)]
    for _ in range(LENGTH - 1):
        extended = []
        for caption, total in beams:
            if caption[-1] == END:
                extended.append((caption, total))
                continue
            inputs = {"features": feature[None], "tokens": np.array([caption], "int32")}
            log_p = ops.convert_to_numpy(ops.log_softmax(model(inputs)[0, -1]))
            extended += [
                ([*caption, token], total + float(log_p[token]))
                for token in range(VOCABULARY)
                if token not in BANNED
            ]
        extended.sort(key=lambda beam: -beam[1] / (len(beam[0]) - 1) ** penalty)
        beams = extended[:width]
    return beams[0]


def test_greedy_takes_the_most_probable_token_and_stops_at_end():
    table = {START: {6: 0.7, 4: 0.3}, 6: {5: 0.8, END: 0.2}, 5: {END: 0.9, 5: 0.1}}
    captions = found_tokens(make_decoder(TableDecoder(table), GREEDY))
    assert captions == [[START, 6, 5, END, PAD, PAD]] * 3


def test_greedy_stops_at_the_maximum_length():
    captions = found_tokens(make_decoder(TableDecoder({START: {4: 1.0}, 4: {4: 1.0}}), GREEDY))
    assert captions == [[START, 4, 4, 4, 4, 4]] * 3


@pytest.mark.parametrize("decoder", ["greedy", "sample", "beam"])
def test_banned_tokens_are_never_produced(decoder):
    table = {START: {PAD: 0.5, 1: 0.3, START: 0.1, 4: 0.1}, 4: {1: 0.9, END: 0.1}}
    captions = found_tokens(make_decoder(TableDecoder(table), DecodingSettings(decoder)))
    assert captions == [[START, 4, END, PAD, PAD, PAD]] * 3


@pytest.mark.slow
def test_sampling_follows_the_seed_and_the_probabilities():
    table = {START: {4: 0.8, 5: 0.2}, 4: {END: 1.0}, 5: {END: 1.0}}
    many = np.zeros((2000, 2, 2, 4), "float32")

    def first_tokens(temperature: float, seed: int) -> np.ndarray:
        settings = DecodingSettings("sample", temperature=temperature, seed=seed)
        search = make_decoder(TableDecoder(table), settings)
        return decode_all(search, many, 500)["tokens"][:, 0, 1]

    assert (first_tokens(1.0, 1) == first_tokens(1.0, 1)).all()
    assert (first_tokens(1.0, 1) != first_tokens(1.0, 2)).any()
    assert (first_tokens(1.0, 1) == 4).mean() == pytest.approx(0.8, abs=0.05)
    # At temperature 0.5, probabilities are squared and normalized: 0.64 / (0.64 + 0.04).
    assert (first_tokens(0.5, 1) == 4).mean() == pytest.approx(0.94, abs=0.03)


def test_beam_search_finds_a_caption_that_greedy_decoding_misses():
    greedy = found_tokens(make_decoder(TableDecoder(MISLEADING), GREEDY))[0]
    beam = found_tokens(make_decoder(TableDecoder(MISLEADING), beams(3, 0.0)))[0]
    assert greedy[:2] == [START, 4]
    assert beam == [START, 5, END, PAD, PAD, PAD]


def test_beam_search_reports_the_log_probability_of_its_caption():
    result = make_decoder(TableDecoder(MISLEADING), beams(2, 0.0)).decode(FEATURES)
    np.testing.assert_allclose(result["log_probability"], np.log(0.4 * 0.9), rtol=1e-4)


def test_a_length_penalty_favors_longer_captions():
    table = {START: {END: 0.5, 4: 0.5}, 4: {5: 0.8, END: 0.2}, 5: {END: 0.9, 5: 0.1}}
    assert found_tokens(make_decoder(TableDecoder(table), beams(3, 0.0)))[0][:2] == [START, END]
    assert found_tokens(make_decoder(TableDecoder(table), beams(3, 1.0)))[0][:4] == [
        START,
        4,
        5,
        END,
    ]


@pytest.mark.slow
def test_a_beam_width_of_one_is_greedy_decoding():
    model = untrained_decoder()
    greedy = found_tokens(make_decoder(model, GREEDY))
    assert found_tokens(make_decoder(model, beams(1, 1.0))) == greedy


@pytest.mark.slow
def test_a_wide_beam_finds_the_most_probable_of_all_captions():
    model = untrained_decoder()
    found = make_decoder(model, beams(64, 0.0)).decode(FEATURES)
    for row, log_p, feature in zip(
        found["tokens"][:, 0].tolist(), found["log_probability"][:, 0], FEATURES, strict=True
    ):
        best, best_log_p = best_of_all_captions(model, feature)
        assert [token for token in row if token != PAD] == best
        assert log_p == pytest.approx(best_log_p, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_beam_search_agrees_with_a_simple_search_without_cache(penalty):
    model = untrained_decoder()
    found = make_decoder(model, beams(3, penalty)).decode(FEATURES)
    for row, log_p, feature in zip(
        found["tokens"][:, 0].tolist(), found["log_probability"][:, 0], FEATURES, strict=True
    ):
        wanted, total = simple_beam_search(model, feature, 3, penalty)
        assert [token for token in row if token != PAD] == wanted
        assert log_p == pytest.approx(total, rel=1e-4)


@pytest.mark.slow
def test_greedy_decoding_agrees_with_computing_every_prefix_again():
    model = untrained_decoder()
    for row, feature in zip(found_tokens(make_decoder(model, GREEDY)), FEATURES, strict=True):
        prefix = [START]
        while len(prefix) < LENGTH and prefix[-1] != END:
            inputs = {"features": feature[None], "tokens": np.array([prefix], "int32")}
            prefix.append(int(np.argmax(ops.convert_to_numpy(model(inputs))[0, -1])))
        assert row == prefix + [PAD] * (LENGTH - len(prefix))
