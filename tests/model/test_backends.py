"""The decoder, its loss, its optimizer and all search methods agree on JAX and TensorFlow."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from imports import ROOT
from small_repository import run

from captioning.model import CaptionDecoder
from captioning.model.archive import save_model
from captioning.text import BANNED, END, PAD, START

pytestmark = [pytest.mark.slow, pytest.mark.long]

# Captions and batch are large enough that decoding goes through all of its loops.
VOCABULARY, LENGTH, IMAGES = 30, 20, 12
RECIPES = {
    "default": {},
    "tutorial": {
        "norm": "post",
        "tie_embeddings": False,
        "image_projection": False,
        "image_positions": False,
    },
}


def save_decoder(path: Path, **changes) -> None:
    """Save a decoder without dropout, because random numbers differ between backends."""
    keras.utils.set_random_seed(3)
    small = {"units": 16, "heads": 2, "feed_forward_units": 32, "max_length": LENGTH}
    off = {"dropout": 0.0, "residual_dropout": 0.0}
    decoder = CaptionDecoder(VOCABULARY, (3, 3, 8), **{**small, **off, **changes})
    # With larger weights than the initial ones, captions differ and end.
    for weight in decoder.trainable_weights:
        if "bias" not in weight.path:
            weight.assign(weight * 3)
    bias = np.zeros(VOCABULARY, "float32")
    bias[list(BANNED)], bias[END] = -1e9, 1.0
    decoder.set_output_bias(bias)
    save_model(decoder, path)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """The results of `other_backend.py` on both backends, from the same files."""
    folder = tmp_path_factory.mktemp("tensorflow")
    for name, changes in RECIPES.items():
        save_decoder(folder / f"{name}.keras", **changes)
    random = np.random.default_rng(0)
    tokens = random.integers(0, VOCABULARY, (IMAGES, LENGTH)).astype("int32")
    tokens[:, 0], tokens[:, 8:] = START, PAD
    features = random.random((IMAGES, 3, 3, 8), "float32")
    np.savez(folder / "inputs.npz", features=features, tokens=tokens)
    other = folder.parent / "jax"
    shutil.copytree(folder, other)
    script, found = str(ROOT / "tests/helpers/other_backend.py"), {}
    for backend, place in (("tensorflow", folder), ("jax", other)):
        printed = run(ROOT, sys.executable, script, str(place), errors=False, KERAS_BACKEND=backend)
        found[backend] = dict(np.load(place / "results.npz"))
        found[backend]["imported"] = np.array(printed.split())
    return found


@pytest.fixture(params=RECIPES)
def pair(request, results):
    """A function that returns a result of one recipe on both backends, given its name."""

    def get(name: str) -> tuple[np.ndarray, np.ndarray]:
        key = f"{request.param}/{name}"
        return results["jax"][key], results["tensorflow"][key]

    get.names = [
        key.split("/", 1)[1] for key in results["jax"] if key.startswith(f"{request.param}/")
    ]
    return get


def test_tensorflow_is_not_imported_under_jax(results):
    assert results["jax"]["imported"].tolist() == ["jax"]


def test_a_saved_decoder_computes_the_same_logits(pair):
    np.testing.assert_allclose(*pair("logits"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("decoder", ["greedy", "sample", "beam", "several", "groups"])
def test_captions_and_their_log_probabilities_are_the_same(pair, decoder):
    jax, tensorflow = pair(f"{decoder}_tokens")
    assert len({tuple(row) for row in tensorflow[:, 0].tolist()}) > 1
    np.testing.assert_array_equal(jax, tensorflow)
    np.testing.assert_allclose(*pair(f"{decoder}_log_probability"), rtol=1e-4)


def test_sampled_captions_begin_with_start_and_are_padded_after_end(pair):
    for captions in pair("sample_tokens"):
        tokens = captions[:, 0]
        assert (tokens[:, 0] == START).all()
        assert not np.isin(tokens[:, 1:], [1, START]).any()
        ended = np.cumsum(tokens == END, axis=1) - (tokens == END)
        assert (tokens[ended > 0] == PAD).all() and (tokens[ended == 0] != PAD).all()


def test_training_computes_the_same_losses_and_weights(pair):
    for name in ("loss", "cross_entropy", "accuracy"):
        np.testing.assert_allclose(*pair(f"history_{name}"), rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(*pair("split_batch_loss"), rtol=1e-3)
    weights = [name for name in pair.names if name.startswith("weight_")]
    assert len(weights) > 20
    for name in weights:
        np.testing.assert_allclose(*pair(name), rtol=1e-3, atol=1e-4, err_msg=name)
