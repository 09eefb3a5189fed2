"""Backbones: correct classes on real photographs, safe loading of weights, clear errors."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import skimage
from PIL import Image

from captioning.core.errors import InputError
from captioning.data.images.decode import load_pixels
from captioning.extractors import make_extractor
from captioning.extractors.efficientnet_lite0 import weights_path
from captioning.extractors.torch_checkpoint import read_checkpoint

PHOTOGRAPHS = {
    # ImageNet class ids: 652 military uniform; 281, 282, 285 tabby, tiger and Egyptian cat;
    # 967 espresso.
    Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg": {652},
    Path(skimage.__file__).parent / "data/chelsea.png": {281, 282, 285},
    Path(skimage.__file__).parent / "data/coffee.png": {967},
}


@pytest.fixture(scope="module")
def lite0():
    return make_extractor("efficientnet_lite0", 224)


def photograph(path: Path, size: int = 224) -> np.ndarray:
    return load_pixels(path.read_bytes(), size, path.name)


def test_efficientnet_lite0_classifies_real_photographs_correctly(lite0):
    images = np.stack([photograph(path) for path in PHOTOGRAPHS])
    best = lite0.classify(images).argmax(axis=1)
    for path, found, allowed in zip(PHOTOGRAPHS, best.tolist(), PHOTOGRAPHS.values(), strict=True):
        assert found in allowed, path.name


def test_features_have_the_declared_shape_and_the_range_of_relu6(lite0):
    features = lite0(np.stack([photograph(path) for path in PHOTOGRAPHS]))
    assert features.shape[1:] == lite0.output_shape == (7, 7, 1280)
    assert features.dtype == np.float32
    assert features.min() == 0 and 0 < features.max() <= 6


def test_a_photograph_has_the_same_features_in_any_batch(lite0):
    images = np.stack([photograph(path) for path in PHOTOGRAPHS])
    np.testing.assert_allclose(lite0(images)[1], lite0(images[1:2])[0], rtol=1e-3, atol=1e-4)


def test_the_size_of_the_grid_follows_from_the_image_size():
    extractor = make_extractor("efficientnet_lite0", 96)
    assert extractor(np.zeros((1, 96, 96, 3), np.uint8)).shape == (1, 3, 3, 1280)


def test_folded_batch_normalization_computes_the_same_function():
    weights = read_checkpoint(weights_path())
    random = np.random.default_rng(0)
    # One pointwise convolution, which is a matrix product.
    x = random.normal(size=(5, 16))
    kernel = weights["_blocks.1._expand_conv.weight"][:, :, 0, 0].T
    norm = {k: weights[f"_blocks.1._bn0.{k}"] for k in ("weight", "bias")}
    mean, var = (weights[f"_blocks.1._bn0.running_{k}"] for k in ("mean", "var"))
    wanted = (x @ kernel - mean) / np.sqrt(var + 1e-3) * norm["weight"] + norm["bias"]
    folded_kernel, folded_bias = make_extractor("efficientnet_lite0", 64)._convolutions["1.expand"]
    np.testing.assert_allclose(x @ folded_kernel[0, 0] + folded_bias, wanted, rtol=1e-4, atol=1e-4)


def test_an_unknown_extractor_is_refused():
    with pytest.raises(InputError, match="unknown extractor 'resnet': choose efficientnet_lite0"):
        make_extractor("resnet", 224)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    path = tmp_path / "short.pth"
    path.write_bytes(weights_path().read_bytes()[:-1000])
    with pytest.raises(
        InputError, match=r"short.pth is not a complete PyTorch checkpoint.*is truncated"
    ):
        read_checkpoint(path)


def test_a_checkpoint_that_would_execute_code_is_refused(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (eval, ("1",))

    path = tmp_path / "harmful.pth"
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(InputError, match=r"builtins.eval is not allowed in a state dict"):
        read_checkpoint(path)


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path):
    path = tmp_path / "text.pth"
    path.write_bytes(struct.pack("<q", 7) + io.BytesIO(b"text").read())
    with pytest.raises(InputError, match="text.pth is not a complete PyTorch checkpoint"):
        read_checkpoint(path)


def test_mobilenet_without_weights_says_where_to_save_them(tmp_path, monkeypatch):
    import keras

    def no_network(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", no_network)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", no_network)
    with pytest.raises(InputError, match=r"weights of mobilenet_v3_small.*efficientnet_lite0"):
        make_extractor("mobilenet_v3_small", 224)


def test_mobilenet_extracts_features_with_weights_from_the_cache(tmp_path, monkeypatch):
    import keras

    from captioning.extractors import mobilenet_v3_small

    keras.utils.set_random_seed(1)
    models = tmp_path / "models"
    models.mkdir()
    original = keras.applications.MobileNetV3Small
    arguments = {"input_shape": (96, 96, 3), "include_top": False, "include_preprocessing": True}
    weights = models / mobilenet_v3_small._WEIGHTS
    random_weights = original(**arguments, weights=None)
    weights.write_bytes(b"in place of the downloaded file")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.applications, "MobileNetV3Small", lambda **_: random_weights)
    extractor = make_extractor("mobilenet_v3_small", 96)
    assert extractor.output_shape == (3, 3, 576)
    assert len(extractor.weights_sha256) == 64
    image = Image.new("RGB", (96, 96), (200, 10, 10))
    features = extractor(np.asarray(image)[None])
    assert features.shape == (1, 3, 3, 576) and np.isfinite(features).all()


@pytest.mark.slow
def test_extracting_the_same_images_again_gives_the_same_bytes(lite0):
    images = np.stack([photograph(path) for path in PHOTOGRAPHS])
    assert lite0(images).tobytes() == lite0(images).tobytes()
