"""The decoder: causality, packing, cached steps, attention weights, and saving."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
from tiny_inputs import VOCABULARY, make_inputs

from captioning.model import CaptionDecoder
from captioning.model.archive import save_model
from captioning.model.attention import apply_dense
from captioning.model.decoder import caption_structure
from captioning.text import BANNED, START
from captioning.training.losses import MaskedCrossEntropy

LENGTH = 12
RECIPES = {
    "tutorial": {
        "norm": "post",
        "tie_embeddings": False,
        "image_projection": False,
        "image_positions": False,
        "key_size": 16,
        "activation": "relu",
    },
    "default": {},
}


def make_model(**changes) -> CaptionDecoder:
    keras.utils.set_random_seed(3)
    arguments = {"units": 16, "heads": 2, "feed_forward_units": 32, "max_length": LENGTH}
    return CaptionDecoder(VOCABULARY, (3, 3, 8), **{**arguments, **changes})


def logits(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs, training=False))


@pytest.fixture(params=RECIPES)
def model(request) -> CaptionDecoder:
    return make_model(**RECIPES[request.param])


def test_a_token_does_not_influence_earlier_logits(model):
    inputs = make_inputs()
    before = logits(model, inputs)
    inputs["tokens"][:, 4] = 9
    after = logits(model, inputs)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert not np.allclose(before[:, 4:], after[:, 4:])


def test_padding_does_not_influence_the_logits(model):
    inputs = make_inputs()
    padded = {**inputs, "tokens": np.pad(inputs["tokens"], ((0, 0), (0, 4)))}
    np.testing.assert_allclose(
        logits(model, padded)[:, :7], logits(model, inputs), rtol=1e-5, atol=1e-6
    )


def test_packed_captions_have_the_same_logits_as_separate_ones(model):
    first = make_inputs(length=5)
    second = {**first, "tokens": make_inputs(length=7)["tokens"]}
    second["tokens"] = second["tokens"][:, ::-1].copy()
    second["tokens"][:, 0] = START
    second["tokens"][:, -1] = 8
    packed = {**first, "tokens": np.concatenate([first["tokens"], second["tokens"]], axis=1)}
    together = logits(model, packed)
    np.testing.assert_allclose(together[:, :5], logits(model, first), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(together[:, 5:], logits(model, second), rtol=1e-4, atol=1e-5)


def test_mask_and_positions_restart_at_every_start_token():
    tokens = np.array([[START, 7, START, 8, 9, 0]], "int32")
    mask, positions = caption_structure(tokens)
    assert np.asarray(positions).tolist() == [[0, 1, 0, 1, 2, 3]]
    assert np.asarray(mask)[0, 0].astype(int).tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 1],
    ]


def test_cached_steps_compute_the_same_logits_as_one_pass(model):
    inputs = make_inputs(images=4)
    whole = logits(model, inputs)
    image = model.encode_image(inputs["features"])
    cache = model.empty_cache(4, LENGTH)
    for position in range(7):
        step, cache = model.step(inputs["tokens"][:, position, None], position, image, cache)
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(step)[:, 0], whole[:, position], rtol=1e-4, atol=1e-5
        )


def test_cached_steps_of_several_beams_per_image_compute_the_same_logits_as_one_pass(model):
    inputs = make_inputs(images=2)
    other = make_inputs(images=2)
    other["tokens"][:, 1:] = 5
    image, cache = model.encode_image(inputs["features"]), model.empty_cache(4, LENGTH)
    for position in range(7):
        beams = np.stack([inputs["tokens"][:, position], other["tokens"][:, position]], axis=1)
        step, cache = model.step(beams, position, image, cache)
    step = keras.ops.convert_to_numpy(step)
    np.testing.assert_allclose(step[:, 0], logits(model, inputs)[:, -1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(step[:, 1], logits(model, other)[:, -1], rtol=1e-4, atol=1e-5)


def test_attention_weights_sum_to_one_and_do_not_change_the_logits(model):
    inputs = make_inputs()
    scored, weights = model(inputs, return_scores=True)
    assert weights.shape == (2, 2, 2, 7, 9)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weights).sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(scored), logits(model, inputs))


def test_logits_depend_on_the_positions_of_the_image_cells():
    model, inputs = make_model(), make_inputs()
    flipped = {**inputs, "features": inputs["features"][:, ::-1]}
    assert not np.allclose(logits(model, inputs), logits(model, flipped))


def test_dropout_is_applied_only_in_training():
    model, inputs = make_model(dropout=0.5), make_inputs()
    np.testing.assert_array_equal(logits(model, inputs), logits(model, inputs))
    trained = keras.ops.convert_to_numpy(model(inputs, training=True))
    assert not np.allclose(trained, logits(model, inputs))


@pytest.mark.slow
def test_a_saved_model_computes_the_same_logits_in_another_process(model, tmp_path):
    bias = np.linspace(-5, 0, VOCABULARY).astype("float32")
    bias[list(BANNED)] = -1e9
    model.set_output_bias(bias)
    save_model(model, tmp_path / "decoder.keras")
    inputs = make_inputs()
    np.savez(tmp_path / "inputs.npz", **inputs)
    code = (
        "import sys, keras, numpy as np, captioning.model\n"
        "folder = sys.argv[1]\n"
        "inputs = dict(np.load(folder + '/inputs.npz'))\n"
        "model = keras.saving.load_model(folder + '/decoder.keras')\n"
        "np.save(folder + '/logits.npy', keras.ops.convert_to_numpy(model(inputs)))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), logits(model, inputs))


def test_saving_a_model_again_gives_the_same_bytes(tmp_path):
    model = make_model()
    for name in ("a.keras", "b.keras"):
        save_model(model, tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]


@pytest.mark.slow
def test_a_saved_model_does_not_include_the_optimizer(tmp_path):
    model = make_model(dropout=0.5)
    save_model(model, tmp_path / "untrained.keras")
    model.compile(optimizer=keras.optimizers.AdamW(0.0), loss=MaskedCrossEntropy())
    inputs = make_inputs()
    model.fit(inputs, inputs["tokens"], verbose=0)
    save_model(model, tmp_path / "trained.keras")
    untrained, trained = (
        (tmp_path / f"{name}.keras").stat().st_size for name in ("untrained", "trained")
    )
    assert trained == untrained
    assert model.optimizer is not None
    loaded = keras.saving.load_model(tmp_path / "trained.keras")
    np.testing.assert_array_equal(logits(model, inputs), logits(loaded, inputs))


def test_in_bfloat16_weights_and_logits_are_float32():
    model = make_model(dtype="mixed_bfloat16")
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    result = model(make_inputs())
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    close = logits(make_model(), make_inputs())
    np.testing.assert_allclose(keras.ops.convert_to_numpy(result), close, atol=0.1)


def test_apply_dense_computes_the_same_as_the_dense_layer():
    dense = keras.layers.Dense(5, "gelu")
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(apply_dense(dense, x)),
        keras.ops.convert_to_numpy(dense(x)),
        rtol=1e-5,
        atol=1e-6,
    )
