"""The benchmark's reference implementation computes the same as this project's code."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny_inputs import make_inputs

from benchmarks import tutorial
from benchmarks.tutorial_extractor import TutorialExtraction
from benchmarks.tutorial_input import load_cache, write_cache
from captioning.core.splits import SPLITS
from captioning.data.images.decode import load_pixels
from captioning.data.record_folder import RecordFolder
from captioning.data.record_writer import write_index, write_shards
from captioning.decoding.search import DecodingSettings, Sampler
from captioning.extractors import make_extractor
from captioning.features.write_features import feature_spec
from captioning.text import BANNED, PAD
from captioning.tokens import TOKEN_SPEC
from captioning.training.losses import MaskedCrossEntropy

VOCABULARY, LENGTH = 30, 12
BIAS = np.where(np.arange(VOCABULARY) > max(BANNED), 0.0, -1e9).astype("float32")


def both_decoders(epsilon: float = 1e-6):
    """Our decoder with the tutorial's architecture, and the reference, with equal weights."""
    keras.utils.set_random_seed(3)
    ours = tutorial.same_size(VOCABULARY, (3, 3, 8), units=16, key_size=16, max_length=LENGTH)
    for weight in ours.trainable_weights:
        # With larger weights than the initial ones, captions differ and end.
        weight.assign(weight * 2 + 0.1 * np.random.default_rng(1).normal(size=weight.shape))
    ours.set_output_bias(BIAS)
    reference = tutorial.TutorialCaptioner(
        VOCABULARY, BIAS, units=16, max_length=LENGTH, epsilon=epsilon
    )
    inputs = make_inputs()
    reference((inputs["features"], inputs["tokens"]))
    tutorial.copy_weights(ours, reference)
    return ours, reference


def test_the_reference_decoder_computes_the_same_logits_with_the_same_weights():
    ours, reference = both_decoders()
    inputs = make_inputs()
    inputs["tokens"][1, 4:] = PAD
    found = reference((inputs["features"], inputs["tokens"]), training=False).numpy()
    wanted = keras.ops.convert_to_numpy(ours(inputs, training=False))
    words = inputs["tokens"] != PAD
    np.testing.assert_allclose(found[words], wanted[words], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_simple_gen_produces_the_same_captions_as_our_greedy_decoding():
    ours, reference = both_decoders()
    features = np.random.default_rng(5).random((6, 3, 3, 8), "float32")
    captions = Sampler(ours, DecodingSettings("greedy")).decode(features)["tokens"][:, 0]
    for feature_map, row in zip(features, captions.tolist(), strict=True):
        assert reference.simple_gen(feature_map) == [token for token in row if token != PAD]


def test_the_tutorials_loss_equals_ours_without_label_smoothing():
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 4, VOCABULARY)).astype("float32") + BIAS
    targets = np.array([[5, 1, 7, 0], [9, 3, 0, 0]])
    found = float(tutorial.masked_loss(targets, logits))
    assert found == pytest.approx(float(MaskedCrossEntropy()(targets, logits)), rel=1e-5)


@pytest.mark.slow
def test_the_loss_decreases_over_the_tutorials_train_steps():
    _, reference = both_decoders()
    tutorial.compiled(reference)
    inputs = make_inputs()
    words = inputs["tokens"].astype("int64")
    pair = (inputs["features"], words[:, :-1]), words[:, 1:]
    losses = [reference.train_on_batch(*pair, return_dict=True)["loss"] for _ in range(20)]
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_the_reference_extraction_computes_the_same_features():
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (64, 64, 3)).astype("uint8") for _ in range(3)]
    encoded = [tf.io.encode_png(image).numpy() for image in images]
    ours = make_extractor("efficientnet_lite0", 64)(
        np.stack([load_pixels(data, 64, "noise") for data in encoded])
    )
    found = TutorialExtraction(64)(encoded)
    assert np.abs(found - ours).max() <= 1e-3 * np.abs(ours).max()


def test_the_tutorials_cache_contains_a_feature_map_for_each_caption(tmp_path):
    random = np.random.default_rng(0)
    spec = feature_spec((2, 2, 4), "float16")
    maps = [random.random((2, 2, 4)).astype("float16") for _ in range(2)]
    captions = [[[2, 7, 3], [2, 8, 9, 3]], [[2, 5, 3]]]
    rows = [
        {"image_id": str(index), "features": feature_map, "tokens": ids}
        for index, (feature_map, ids) in enumerate(zip(maps, captions, strict=True))
    ]
    for name, fields in (("features", spec), ("tokens", TOKEN_SPEC)):
        examples = {split: rows if split == "train" else [] for split in SPLITS}
        shards = {s: write_shards(tmp_path / name, s, fields, [examples[s]]) for s in SPLITS}
        write_index(tmp_path / name, fields, shards, {})
    folders = [RecordFolder.open(tmp_path / name) for name in ("features", "tokens")]
    written = write_cache(*folders, "train", tmp_path / "cache")
    # Three captions with 16 float32 each, and their input and target ids as int64.
    assert written >= 3 * 16 * 4 + 14 * 8
    (features, inputs), targets = next(iter(load_cache(tmp_path / "cache")))
    assert features.dtype == tf.float32 and inputs.dtype == targets.dtype == tf.int64
    found = {
        tuple(ids): (feature_map, following)
        for feature_map, ids, following in zip(
            features.numpy(), inputs.numpy().tolist(), targets.numpy().tolist(), strict=True
        )
    }
    assert found.keys() == {(2, 7, 0), (2, 8, 9), (2, 5, 0)}
    assert found[2, 8, 9][1] == [8, 9, 3] and found[2, 5, 0][1] == [5, 3, 0]
    np.testing.assert_array_equal(found[2, 7, 0][0], maps[0].astype("float32"))


@pytest.mark.slow
def test_the_reference_extraction_decodes_jpeg_too():
    image = Image.new("RGB", (70, 50), (200, 10, 10))
    data = tf.io.encode_jpeg(np.asarray(image)).numpy()
    assert TutorialExtraction(64)([data]).shape == (1, 2, 2, 1280)
