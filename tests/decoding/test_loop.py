"""Batches, the growing cache and the early exit of finished images do not change any caption."""

from __future__ import annotations

import numpy as np
import pytest
from known_decoders import FEATURES, LENGTH, untrained_decoder

from captioning.decoding import loop
from captioning.decoding.batches import decode_all
from captioning.decoding.loop import INITIAL_CACHE_TOKENS
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.text import END, PAD


def random_features(images: int) -> np.ndarray:
    return np.random.default_rng(1).random((images, 2, 2, 4), "float32")


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["greedy", "beam"])
@pytest.mark.parametrize("length", [LENGTH, 2 * INITIAL_CACHE_TOKENS])
def test_a_few_images_alone_get_the_same_captions_as_among_many(decoder, length):
    search = make_decoder(untrained_decoder(max_length=length), DecodingSettings(decoder))
    many = np.concatenate([FEATURES, random_features(21)])
    among_many, alone = search.decode(many), search.decode(FEATURES)
    np.testing.assert_array_equal(alone["tokens"], among_many["tokens"][:3])
    np.testing.assert_allclose(
        alone["log_probability"], among_many["log_probability"][:3], rtol=1e-4, atol=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["greedy", "sample", "beam"])
def test_parallel_batches_get_the_same_captions_as_one_after_the_other(decoder):
    search = make_decoder(untrained_decoder(), DecodingSettings(decoder, seed=2))
    many = random_features(22)
    found = decode_all(search, many, 4)
    for start in range(0, len(many), 4):
        part = slice(start, start + 4)
        expected = search.decode(many[part], streams=range(len(many))[part])
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name][part], values)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["greedy", "sample", "beam"])
@pytest.mark.parametrize(
    ("cache_tokens", "images_per_straggler"), [(2, 1), (3, 3), (2, 100), (100, 2)]
)
def test_a_small_initial_cache_and_leaving_out_finished_images_change_no_caption(
    monkeypatch, decoder, cache_tokens, images_per_straggler
):
    model = untrained_decoder()
    # With a more probable END and more different images, captions differ in length.
    bias = model.token_logits.bias.numpy()
    bias[END] = 0.5
    model.set_output_bias(bias)
    features = 3 * np.random.default_rng(7).normal(size=(8, 2, 2, 4)).astype("float32")

    def caption(cache_tokens: int, images_per_straggler: int) -> dict[str, np.ndarray]:
        monkeypatch.setattr(loop, "INITIAL_CACHE_TOKENS", cache_tokens)
        monkeypatch.setattr(loop, "IMAGES_PER_STRAGGLER", images_per_straggler)
        return make_decoder(model, DecodingSettings(decoder, seed=3)).decode(features)

    # With room for 100 tokens and every image a straggler, the whole batch runs to the end.
    plain, found = caption(100, 1), caption(cache_tokens, images_per_straggler)
    np.testing.assert_array_equal(found["tokens"], plain["tokens"])
    np.testing.assert_allclose(found["log_probability"], plain["log_probability"], rtol=1e-5)
    assert len({(row != PAD).sum() for row in plain["tokens"][:, 0]}) > 1
