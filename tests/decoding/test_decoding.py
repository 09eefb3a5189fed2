"""Decoding with models whose best captions are known."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from captioning.decoding import loop, search
from captioning.decoding.batches import decode_all
from captioning.decoding.loop import SHORT
from captioning.decoding.search import BeamSearch, Sampler, make_decoder
from captioning.model import CaptionDecoder
from captioning.text import BANNED, END, PAD, START

VOCABULARY, LENGTH = 9, 6
FEATURES = np.random.default_rng(0).random((3, 2, 2, 4), "float32")


class Spelling:
    """A model with a fixed table of next-token probabilities, for every image the same."""

    vocabulary_size = VOCABULARY
    max_length = LENGTH

    def __init__(self, table: dict[int, dict[int, float]]) -> None:
        rows = np.full((VOCABULARY, VOCABULARY), 1e-6, "float32")
        for token, following in table.items():
            for other, probability in following.items():
                rows[token, other] = probability
        self.log_p = ops.log(rows)

    def encode_image(self, features):
        return ()

    def empty_cache(self, rows, length):
        return ((ops.zeros((rows, 1, 1, 1)), ops.zeros((rows, 1, 1, 1))),)

    def step(self, tokens, position, image, cache):
        return ops.take(self.log_p, tokens, axis=0), cache


# Greedy takes 4 (0.6), after which all is unlikely; 5 leads to the likelier caption.
GARDEN_PATH = {
    START: {4: 0.6, 5: 0.4},
    4: {6: 0.3, 7: 0.3, 8: 0.3, END: 0.1},
    5: {END: 0.9, 6: 0.1},
    6: {END: 1.0},
    7: {END: 1.0},
    8: {END: 1.0},
}


def tokens(decoder) -> list[list[int]]:
    return decoder.predict(FEATURES, verbose=0)["tokens"].tolist()


def tiny_model(**changes) -> CaptionDecoder:
    keras.utils.set_random_seed(5)
    size = {"units": 8, "heads": 2, "feed_forward_units": 16, "max_length": LENGTH}
    model = CaptionDecoder(VOCABULARY, (2, 2, 4), **{**size, **changes})
    bias = np.zeros(VOCABULARY, "float32")
    bias[list(BANNED)] = -1e9
    model.set_output_bias(bias)
    # Larger weights than at the start, so that captions differ.
    for weight in model.trainable_weights:
        if "bias" not in weight.path:
            weight.assign(weight * 4)
    return model


def exhaustive(model, feature) -> tuple[list[int], float]:
    """The most probable of all captions, by trying each."""
    candidates = []
    words = [t for t in range(VOCABULARY) if t not in (*BANNED, END)]
    for length in range(LENGTH - 1):
        for middle in itertools.product(words, repeat=length):
            candidates.append([START, *middle, END])
    ids = np.array([row + [PAD] * (LENGTH - len(row)) for row in candidates], "int32")
    features = np.repeat(feature[None], len(ids), axis=0)
    log_p = ops.log_softmax(model({"features": features, "tokens": ids[:, :-1]}))
    gained = np.take_along_axis(ops.convert_to_numpy(log_p), ids[:, 1:, None], axis=-1)[..., 0]
    totals = np.where(ids[:, 1:] == PAD, 0, gained).sum(axis=1)
    best = int(totals.argmax())
    return candidates[best], float(totals[best])


def test_greedy_takes_the_likeliest_token_and_stops_at_end():
    table = {START: {6: 0.7, 4: 0.3}, 6: {5: 0.8, END: 0.2}, 5: {END: 0.9, 5: 0.1}}
    assert tokens(Sampler(Spelling(table), 0.0)) == [[START, 6, 5, END, PAD, PAD]] * 3


def test_greedy_stops_at_the_longest_length():
    assert (
        tokens(Sampler(Spelling({START: {4: 1.0}, 4: {4: 1.0}}), 0.0))
        == [[START, 4, 4, 4, 4, 4]] * 3
    )


def test_banned_tokens_are_never_produced():
    table = {START: {PAD: 0.5, 1: 0.3, START: 0.1, 4: 0.1}, 4: {1: 0.9, END: 0.1}}
    for decoder in ("greedy", "sample", "beam"):
        assert (
            tokens(make_decoder(Spelling(table), decoder)) == [[START, 4, END, PAD, PAD, PAD]] * 3
        )


def test_beam_search_finds_what_greedy_misses():
    greedy = tokens(Sampler(Spelling(GARDEN_PATH), 0.0))[0]
    beam = tokens(BeamSearch(Spelling(GARDEN_PATH), 3, 0.0))[0]
    assert greedy[:2] == [START, 4]
    assert beam == [START, 5, END, PAD, PAD, PAD]


def test_beam_search_reports_the_log_probability_of_its_caption():
    result = BeamSearch(Spelling(GARDEN_PATH), 2, 0.0).predict(FEATURES, verbose=0)
    np.testing.assert_allclose(result["log_probability"], np.log(0.4 * 0.9), rtol=1e-4)


def test_length_penalty_favours_longer_captions():
    table = {START: {END: 0.5, 4: 0.5}, 4: {5: 0.8, END: 0.2}, 5: {END: 0.9, 5: 0.1}}
    assert tokens(BeamSearch(Spelling(table), 3, 0.0))[0][:2] == [START, END]
    assert tokens(BeamSearch(Spelling(table), 3, 1.0))[0][:4] == [START, 4, 5, END]


def test_beam_of_width_one_is_greedy():
    model = tiny_model()
    assert tokens(BeamSearch(model, 1, 1.0)) == tokens(Sampler(model, 0.0))


def test_wide_beam_finds_the_best_of_all_captions():
    model = tiny_model()
    result = BeamSearch(model, 64, 0.0).predict(FEATURES[:1], verbose=0)
    best, best_score = exhaustive(model, FEATURES[0])
    found = [t for t in result["tokens"][0].tolist() if t != PAD]
    # Captions cut at the longest length compete as well; only whole ones are tried here.
    if found[-1] == END:
        assert found == best
    assert result["log_probability"][0] >= best_score - 1e-4


def test_cached_decoding_agrees_with_running_the_prefix_again():
    model = tiny_model()
    for row, feature in zip(tokens(Sampler(model, 0.0)), FEATURES, strict=True):
        prefix = [START]
        while len(prefix) < LENGTH and prefix[-1] != END:
            inputs = {"features": feature[None], "tokens": np.array([prefix], "int32")}
            prefix.append(int(np.argmax(ops.convert_to_numpy(model(inputs))[0, -1])))
        assert row == prefix + [PAD] * (LENGTH - len(prefix))


@pytest.mark.parametrize("way", ["greedy", "beam"])
@pytest.mark.parametrize("length", [LENGTH, 2 * SHORT])
def test_few_images_by_themselves_are_captioned_as_among_many(way, length):
    decoder = make_decoder(tiny_model(max_length=length), way)
    many = np.concatenate([FEATURES, np.random.default_rng(1).random((21, 2, 2, 4), "float32")])
    among, alone = decoder.predict(many, verbose=0), decoder.predict_on_batch(FEATURES)
    np.testing.assert_array_equal(alone["tokens"], among["tokens"][:3])
    np.testing.assert_allclose(
        alone["log_probability"], among["log_probability"][:3], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("way", ["greedy", "sample", "beam"])
def test_many_batches_are_captioned_as_one_after_the_other(way):
    decoder = make_decoder(tiny_model(), way, seed=2)
    many = np.random.default_rng(1).random((22, 2, 2, 4), "float32")
    found = decode_all(decoder, many, 4)
    if way == "sample":
        decoder.reseed()
    for start in range(0, len(many), 4):
        wanted = decoder.predict_on_batch(many[start : start + 4])
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name][start : start + 4], values)


def test_sampling_follows_the_seed_and_the_probabilities():
    table = {START: {4: 0.8, 5: 0.2}, 4: {END: 1.0}, 5: {END: 1.0}}
    many = np.zeros((2000, 2, 2, 4), "float32")

    def first_tokens(temperature: float, seed: int) -> np.ndarray:
        decoder = Sampler(Spelling(table), temperature, seed)
        return decoder.predict(many, batch_size=500, verbose=0)["tokens"][:, 1]

    assert (first_tokens(1.0, 1) == first_tokens(1.0, 1)).all()
    assert (first_tokens(1.0, 1) != first_tokens(1.0, 2)).any()
    assert (first_tokens(1.0, 1) == 4).mean() == pytest.approx(0.8, abs=0.05)
    # p^2 normalised: 0.64 / (0.64 + 0.04)
    assert (first_tokens(0.5, 1) == 4).mean() == pytest.approx(0.94, abs=0.03)


@pytest.mark.parametrize("decoder", ["greedy", "sample", "beam"])
@pytest.mark.parametrize(("short", "few"), [(2, 1), (3, 3), (2, 100), (100, 2)])
def test_a_short_cache_and_leaving_out_what_is_finished_change_no_caption(
    monkeypatch, decoder, short, few
):
    model = tiny_model()
    # Likelier ends and more different images, so that captions differ in length.
    bias = model.token_logits.bias.numpy()
    bias[END] = 0.5
    model.set_output_bias(bias)
    features = 3 * np.random.default_rng(7).normal(size=(8, 2, 2, 4)).astype("float32")

    def caption(short: int, few: int) -> dict[str, np.ndarray]:
        monkeypatch.setattr(search, "SHORT", short)
        monkeypatch.setattr(loop, "SHORT", short)
        # With 1, all rows go on to the end as one batch.
        monkeypatch.setattr(loop, "FEW", few)
        return make_decoder(model, decoder, seed=3).predict(features, verbose=0)

    plain, found = caption(100, 1), caption(short, few)
    np.testing.assert_array_equal(found["tokens"], plain["tokens"])
    np.testing.assert_allclose(found["log_probability"], plain["log_probability"], rtol=1e-5)
    assert len({(row != PAD).sum() for row in plain["tokens"]}) > 1


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_beam_search_ranks_every_extension_of_every_beam(penalty):
    model = tiny_model()
    found = BeamSearch(model, 3, penalty).predict(FEATURES, verbose=0)
    for row, log_p, feature in zip(
        found["tokens"].tolist(), found["log_probability"], FEATURES, strict=True
    ):
        wanted, total = plain_beam_search(model, feature, 3, penalty)
        assert [token for token in row if token != PAD] == wanted
        assert log_p == pytest.approx(total, rel=1e-4)


def plain_beam_search(model, feature, width: int, penalty: float) -> tuple[list[int], float]:
    """The prefix run again for each beam, all extensions in one list."""
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
