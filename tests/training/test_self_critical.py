"""Self-critical training: its inputs, and that it makes captions with high rewards more likely."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_training import PARAMS, VOCABULARY, make_batches, make_decoder

from captioning.decoding.search import DecodingSettings, Sampler
from captioning.text import BANNED
from captioning.training.losses import token_cross_entropy, weighted_cross_entropy
from captioning.training.self_critical import SelfCritical, pack_weighted, refine

FEATURES = np.random.default_rng(0).random((4, 2, 2, 4), "float32")


def draw(decoder, captions: int):
    sampler = Sampler(decoder, DecodingSettings("sample", seed=3), captions)
    return sampler.draw(sampler.make_inputs(FEATURES))


def greedy_tokens(decoder) -> np.ndarray:
    return Sampler(decoder, DecodingSettings("greedy")).decode(FEATURES)["tokens"]


def count_of_eights(captions: np.ndarray, references: np.ndarray) -> np.ndarray:
    return (captions == 8).sum(axis=-1).astype("float32")


def reference_batches() -> tf.data.Dataset:
    return make_batches().map(lambda inputs, _: (inputs["features"], inputs["tokens"][:, None]))


def test_packing_leaves_out_padding_and_keeps_the_weight_of_each_token():
    captions = np.array([[[2, 5, 6, 3, 0], [2, 3, 0, 0, 0]], [[2, 7, 3, 0, 0], [2, 8, 9, 9, 9]]])
    weights = np.array([[0.5, -1.0], [2.0, 3.0]], "float32")
    inputs, targets, spread = (x.numpy().tolist() for x in pack_weighted(captions, weights))
    assert inputs == [[2, 5, 6, 2, 0, 0], [2, 7, 2, 8, 9, 9]]
    assert targets == [[5, 6, 3, 3, 0, 0], [7, 3, 8, 9, 9, 9]]
    assert spread == [[0.5, 0.5, 0.5, -1, 0, 0], [2, 2, 3, 3, 3, 3]]


@pytest.mark.slow
def test_packed_captions_have_the_probability_with_which_they_were_sampled():
    decoder = make_decoder(max_length=8)
    drawn = draw(decoder, 3)
    inputs, targets, _ = pack_weighted(drawn["tokens"], tf.zeros((4, 3)))
    logits = decoder({"features": FEATURES, "tokens": inputs})
    losses = np.where(targets == 0, 0, token_cross_entropy(targets, logits))
    expected = -drawn["log_probability"].numpy().sum(axis=1)
    np.testing.assert_allclose(losses.sum(axis=1), expected, rtol=1e-4)


@pytest.mark.slow
def test_sampled_captions_of_an_image_differ():
    drawn = draw(make_decoder(max_length=8), 5)["tokens"].numpy()
    assert drawn.shape == (4, 5, 8)
    assert len({tuple(ids) for ids in drawn.reshape(-1, 8).tolist()}) > 10


def test_the_loss_weights_targets_that_count():
    logits = np.random.default_rng(0).normal(size=(1, 3, VOCABULARY)).astype("float32")
    logits[..., list(BANNED)] = -1e9
    log_p = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits))
    found = weighted_cross_entropy(np.array([[5, 7, 0]]), logits, np.array([[2.0, -1.0, 9.0]]))
    assert float(found) == pytest.approx((-2 * log_p[0, 0, 5] + log_p[0, 1, 7]) / 2, rel=1e-4)


@pytest.mark.slow
def test_equal_rewards_change_no_weights():
    decoder = make_decoder(max_length=8)
    before = decoder.get_weights()
    model = SelfCritical(decoder, lambda c, r: np.ones(c.shape[:2], "float32"), 2, seed=1)
    model.compile(optimizer=keras.optimizers.SGD(1.0), jit_compile=False)
    assert model.fit(reference_batches(), verbose=0).history["reward"] == [1.0]
    for one, other in zip(before, decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_rewarded_words_become_more_likely():
    decoder = make_decoder(max_length=8)
    assert not (greedy_tokens(decoder) == 8).any()
    model = SelfCritical(decoder, count_of_eights, captions=4, seed=1)
    model.compile(optimizer=keras.optimizers.Adam(0.02), jit_compile=False)
    batches = reference_batches()
    history = model.fit(batches, validation_data=batches, epochs=15, verbose=0).history
    assert history["reward"][0] < 1.5
    assert history["reward"][-1] > 5
    assert history["val_reward"][-1] == 7
    assert (greedy_tokens(decoder)[:, 0, 1:] == 8).all()


class Data:
    """Stands for TrainingData, with the images of `make_batches`."""

    steps_per_epoch = 2

    def references(self, split: str, seed: int | None = None) -> tf.data.Dataset:
        batches = reference_batches()
        return batches.shuffle(2, seed).repeat() if split == "train" else batches

    def captions(self, split: str) -> list[list[list[int]]]:
        return [[ids.tolist()] for _, batch in reference_batches() for ids in batch[:, 0].numpy()]


def decoder_with_dropout():
    return make_decoder(max_length=8, dropout=0.2, residual_dropout=0.2)


def run_refine(folder, epochs: int, samples=None, learning_rate=0.02, **changes):
    decoder = decoder_with_dropout()
    settings = PARAMS.train.self_critical.model_copy(
        update={"epochs": epochs, "learning_rate": learning_rate, "captions": 4}
    )
    params = PARAMS.train.model_copy(update={"self_critical": settings, **changes})
    curves, checkpoint = folder / "curves.csv", folder / "checkpoint.npz"
    result = refine(
        decoder, params=params, data=Data(), curves=curves, samples=samples, checkpoint=checkpoint
    )
    return decoder.get_weights(), result, curves.read_bytes() if curves.exists() else None


def test_without_epochs_the_decoder_stays_and_there_are_no_curves(tmp_path):
    weights, result, curves = run_refine(tmp_path, 0)
    assert result is None
    assert curves is None
    untouched = decoder_with_dropout().get_weights()
    for one, other in zip(weights, untouched, strict=True):
        np.testing.assert_array_equal(one, other)


class KilledError(Exception):
    """Stands for a kill."""


class Interrupt(keras.callbacks.Callback):
    """Interrupts the run after some epochs; has rows like every recorder."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.rows = at, []

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.at:
            raise KilledError


@pytest.mark.slow
def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    expected = run_refine(whole, 5, Interrupt(0))
    for at in (2, 4):
        with pytest.raises(KilledError):
            run_refine(cut, 5, Interrupt(at))
    found = run_refine(cut, 5, Interrupt(0))
    # A finished run is not trained again.
    again = run_refine(cut, 5, Interrupt(1))
    for one, *others in zip(expected[0], found[0], again[0], strict=True):
        np.testing.assert_array_equal(one, others[0])
        np.testing.assert_array_equal(one, others[1])
    assert again[1:] == found[1:] == expected[1:]
    rows = [line.split(",") for line in found[2].decode().splitlines()[1:]]
    assert len(rows) == found[1].reports == 5
    assert found[1].best["val_reward"] == max(float(row[4]) for row in rows)


@pytest.mark.slow
def test_a_phase_that_diverges_at_once_leaves_the_weights_of_the_phase_before(tmp_path, capsys):
    weights, result, curves = run_refine(tmp_path, 2, learning_rate=1e38)
    assert result is not None and (result.reports, result.best) == (0, {})
    assert curves.count(b"\n") == 1
    printed = capsys.readouterr().out
    assert "lower train.self_critical.learning_rate (1e+38); the weights before" in printed
    untouched = decoder_with_dropout().get_weights()
    for one, other in zip(weights, untouched, strict=True):
        np.testing.assert_array_equal(one, other)
