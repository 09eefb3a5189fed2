"""`make bench`: the reference is the tutorial's, what is counted is right, every part runs."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from imports import ROOT
from PIL import Image
from raw_table import write_scenes
from tiny_inputs import make_inputs

from benchmarks import tutorial
from benchmarks.alternate import Measured, Work, alternate
from benchmarks.counting import DecoderSize, efficientnet_lite0
from benchmarks.data import BenchData
from benchmarks.decoding import scaled_to_all_captions
from benchmarks.parts import PARTS, Bench
from benchmarks.report import Row, as_json, compare, table
from benchmarks.training import decoder_size
from benchmarks.tutorial_extractor import TutorialExtraction
from benchmarks.tutorial_input import load_cache, write_cache
from captioning.core.errors import InputError
from captioning.data.images import load_pixels
from captioning.data.raw_table import read_raw
from captioning.data.record_folder import RecordFolder
from captioning.data.record_writer import write_index, write_shards
from captioning.decoding.search import Sampler
from captioning.extractors import make_extractor
from captioning.features.write_features import feature_spec, write_features
from captioning.text import BANNED, PAD, WordVocabulary, output_bias
from captioning.tokens import TOKEN_SPEC, write_tokens
from captioning.training.losses import MaskedCrossEntropy

VOCABULARY, LENGTH = 30, 12
BIAS = np.where(np.arange(VOCABULARY) > max(BANNED), 0.0, -1e9).astype("float32")


def both_decoders(epsilon: float = 1e-6):
    """Ours as the tutorial's, and the reference, small, with the same weights."""
    keras.utils.set_random_seed(3)
    ours = tutorial.same_size(VOCABULARY, (3, 3, 8), units=16, key_size=16, max_length=LENGTH)
    for weight in ours.trainable_weights:
        # Larger than at the start, so that captions differ and end.
        weight.assign(weight * 2 + 0.1 * np.random.default_rng(1).normal(size=weight.shape))
    ours.set_output_bias(BIAS)
    reference = tutorial.TutorialCaptioner(
        VOCABULARY, BIAS, units=16, max_length=LENGTH, epsilon=epsilon
    )
    inputs = make_inputs()
    reference((inputs["features"], inputs["tokens"]))
    tutorial.copy_weights(ours, reference)
    return ours, reference


def test_the_reference_gives_our_logits_with_our_weights():
    ours, reference = both_decoders()
    inputs = make_inputs()
    inputs["tokens"][1, 4:] = PAD
    found = reference((inputs["features"], inputs["tokens"]), training=False).numpy()
    wanted = keras.ops.convert_to_numpy(ours(inputs, training=False))
    words = inputs["tokens"] != PAD
    np.testing.assert_allclose(found[words], wanted[words], rtol=1e-4, atol=1e-4)


def test_simple_gen_says_what_our_greedy_decoder_says():
    ours, reference = both_decoders()
    features = np.random.default_rng(5).random((6, 3, 3, 8), "float32")
    said = Sampler(ours, 0.0).predict(features, verbose=0)["tokens"]
    for feature_map, row in zip(features, said.tolist(), strict=True):
        assert reference.simple_gen(feature_map) == [token for token in row if token != PAD]


def test_the_tutorials_loss_is_ours_without_smoothing():
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 4, VOCABULARY)).astype("float32") + BIAS
    targets = np.array([[5, 1, 7, 0], [9, 3, 0, 0]])
    found = float(tutorial.masked_loss(targets, logits))
    assert found == pytest.approx(float(MaskedCrossEntropy()(targets, logits)), rel=1e-5)


def test_the_tutorials_train_step_learns():
    _, reference = both_decoders()
    tutorial.compiled(reference)
    inputs = make_inputs()
    words = inputs["tokens"].astype("int64")
    pair = (inputs["features"], words[:, :-1]), words[:, 1:]
    losses = [reference.train_on_batch(*pair, return_dict=True)["loss"] for _ in range(20)]
    assert losses[-1] < losses[0]


def test_reference_extraction_agrees_with_ours():
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (64, 64, 3)).astype("uint8") for _ in range(3)]
    encoded = [tf.io.encode_png(image).numpy() for image in images]
    ours = make_extractor("efficientnet_lite0", 64)(
        np.stack([load_pixels(data, 64, "noise") for data in encoded])
    )
    found = TutorialExtraction(64)(encoded)
    assert np.abs(found - ours).max() <= 1e-3 * np.abs(ours).max()


def test_the_tutorials_cache_holds_a_feature_map_a_caption(tmp_path):
    random = np.random.default_rng(0)
    spec = feature_spec((2, 2, 4), "float16")
    maps = [random.random((2, 2, 4)).astype("float16") for _ in range(2)]
    captions = [[[2, 7, 3], [2, 8, 9, 3]], [[2, 5, 3]]]
    rows = [
        {"image_id": str(index), "features": feature_map, "tokens": ids}
        for index, (feature_map, ids) in enumerate(zip(maps, captions, strict=True))
    ]
    for name, fields in (("features", spec), ("tokens", TOKEN_SPEC)):
        shards = {"train": write_shards(tmp_path / name, "train", fields, [rows])}
        write_index(tmp_path / name, fields, shards, {})
    folders = [RecordFolder.open(tmp_path / name) for name in ("features", "tokens")]
    written = write_cache(*folders, "train", tmp_path / "cache")
    # Three captions, each with 16 float32; nine ids as int64, inputs and targets counted each.
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


# One layer, D = W = 2, F = 4, V = 5, S = 3, C = 4.
SIZE = DecoderSize(1, 2, 2, 4, 5, 3, 4, projected=False)


def test_operations_are_those_counted_by_hand():
    # Keys and values: 2 products of [3, 4] and [4, 2].
    assert SIZE.image_forward() == (2 * (2 * 3 * 4 * 2), 0)
    # Six [2, 2] projections; scores and sums over 1 token and 3 cells; [2, 4], [4, 2]; [2, 5].
    first = 6 * 2 * 4 + 2 * 2 * 2 * (1 + 3) + 2 * (2 * 2 * 4) + 2 * 2 * 5
    assert SIZE.token_forward(0) == first == 132
    assert SIZE.token_forward(1) == first + 2 * 2 * 2
    assert SIZE.forward(2, [2, 1]) == 2 * 96 + 132 + 140 + 132
    # Frozen features need no gradient.
    assert SIZE.training(2, [2, 1]) == 2 * (2 * 96) + 3 * (132 + 140 + 132)


def test_projected_features_are_counted_once_for_all_layers():
    size = DecoderSize(3, 2, 2, 4, 5, 3, 4, projected=True)
    assert size.image_forward() == (2 * 3 * 4 * 2, 3 * 2 * (2 * 3 * 2 * 2))


def test_a_decoders_size_is_read_off_it():
    ours, _ = both_decoders()
    assert decoder_size(ours) == DecoderSize(2, 16, 32, 32, VOCABULARY, 9, 8, projected=False)


@pytest.mark.parametrize("size", [64, 96])
def test_the_extractors_operations_are_those_of_its_graph(size):
    extractor = make_extractor("efficientnet_lite0", size)
    graph = extractor._network.get_concrete_function().graph
    found = 0
    for operation in graph.get_operations():
        if operation.type in ("Conv2D", "DepthwiseConv2dNative"):
            _, height, width, channels = operation.outputs[0].shape
            rows, columns, deep, _ = operation.inputs[1].shape
            deep = 1 if operation.type.startswith("Depthwise") else deep
            found += 2 * height * width * channels * rows * columns * deep
    assert efficientnet_lite0(size) == found


class Noting(Work):
    """Appends its name to a file at every run."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def run(self) -> float:
        with open(self.path, "a") as file:
            file.write(self.name)
        return 10

    def facts(self):
        return {"name": self.name}


class Failing(Work):
    """Doesn't get ready."""

    def __init__(self) -> None:
        raise ValueError("no such thing")


def test_sides_work_in_turns_each_in_its_own_process(tmp_path):
    path = tmp_path / "order"
    sides = {name: (Noting, {"path": path, "name": name}) for name in "AB"}
    found = alternate(sides, 3)
    assert path.read_text() == "ABABAB"
    assert all(len(found[name].rates) == 3 and found[name].rate > 0 for name in "AB")
    assert found["B"].facts == {"name": "B"} and found["A"].peak_bytes > 1e6


def test_a_side_that_fails_is_named_with_its_traceback():
    with pytest.raises(RuntimeError, match=r"(?s)side ours failed.*ValueError: no such thing"):
        alternate({"ours": (Failing, {})}, 1)


def test_rows_are_medians_against_targets_and_ceilings():
    reference = Measured([1.0, 3.0, 2.0], [2.0, 2.0, 1.0], 10)
    ours = Measured([10.0, 8.0, 9.0], [5.0, 5.0, 7.0], 20)
    row = compare("part", "images/s", reference, ours, 5, work=100, ceiling=("products", 1000))
    assert (row.reference, row.ours, row.ratio, row.met) == (2.0, 9.0, 4.5, False)
    assert (row.share_reference, row.share_ours, row.processor_ratio) == (0.2, 0.5, 2.5)
    text = table([row, Row("other", "bytes", 9, 1, 9.0, 9)])
    assert "5 (missed)" in text and "20% → 50% products" in text
    assert as_json([row], {}, {})["rows"][0]["met"] is False


def test_a_side_that_had_fewer_cores_in_some_runs_is_pointed_out():
    reference = Measured([98.0, 186.0, 98.0], [100.0, 102.0, 98.0], 10)
    ours = Measured([300.0, 310.0, 305.0], [170.0, 175.0, 171.0], 20)
    row = compare("part", "images/s", reference, ours, work=1, ceiling=("products", 1000), note="a")
    assert row.note == (
        "a; reference used 1.0 to 1.8 cores, depending on the run: compare processor time"
    )
    assert compare("part", "images/s", ours, ours, work=1, ceiling=("products", 1000)).note == ""


def test_without_data_the_benchmark_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="run `make repro` first"):
        BenchData(tmp_path, tmp_path, 1, 1).check()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> BenchData:
    """A pipeline's outputs: a few scenes of 64 pixels."""
    root = tmp_path_factory.mktemp("root")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("image_size: 224", "image_size: 64")
    (root / "params.yaml").write_text(text, encoding="utf-8")
    (root / "data").mkdir()
    raw = write_scenes(
        root / "data/raw", 1, 64, train_images=12, validation_images=3, test_images=32
    )
    extractor = make_extractor("efficientnet_lite0", 64)
    (root / "data/features").mkdir()
    write_features(raw, root / "data/features", extractor, "float16")
    captions = [text for row in read_raw(raw, "train") for text in row["captions"]]
    vocabulary = WordVocabulary.fit(captions, 5000, 1)
    (root / "data/vocabulary").mkdir()
    np.save(root / "data/vocabulary/output_bias.npy", output_bias(vocabulary.count(captions)))
    (root / "data/tokens").mkdir()
    write_tokens(raw, root / "data/tokens", vocabulary, 50)
    assert pq.read_table(raw / "test-00000-of-00001.parquet").num_rows == 32
    return BenchData(root, tmp_path_factory.mktemp("work"), 12, 3)


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_every_part_runs(tiny, part):
    tiny.check()
    if part == "training":
        tiny.write_share()
    bench = Bench(tiny, 1, 2, 3, 32, 8, 2)
    bench.ceilings |= {"matmul_float32": 1e11, "matmul_bfloat16": 2e11}
    rows = PARTS[part](bench)
    assert rows and all(row.reference > 0 and row.ours > 0 for row in rows)
    assert len(table(rows).splitlines()) >= 2 + len(rows)
    assert as_json(rows, {}, bench.details)["details"]
    if part == "training":
        losses = [side["losses"] for side in bench.details["training"].values()]
        assert all(len(row) == 3 and np.isfinite(row).all() for row in losses)
        # A float16 map once an image against a float32 map for each of five captions.
        assert rows[-1].ratio > 8
    if part == "decoding":
        captions = {name: side["captions"] for name, side in bench.details["decoding"].items()}
        # After three steps of training logits nearly tie: that both say the same is tested above.
        assert len(captions.pop("simple_gen")) == 2
        assert len(captions) == 3 and all(len(rows) == 8 for rows in captions.values())


def test_a_few_captions_stand_for_all_by_their_length():
    measured = Measured(rates=[2.0, 4.0], processor_rates=[1.0], peak_bytes=7)
    few, every = [[2, 5, 6, 7, 3]], [[2, 5, 3], [2, 5, 6, 3], [2, 3]]
    found = scaled_to_all_captions(measured, few, every)
    # Four tokens an image were produced; of all images two are.
    assert found == Measured(rates=[4.0, 8.0], processor_rates=[2.0], peak_bytes=7)
    assert scaled_to_all_captions(measured, every, every) == measured


def test_pictures_of_any_format_reach_the_reference():
    image = Image.new("RGB", (70, 50), (200, 10, 10))
    data = tf.io.encode_jpeg(np.asarray(image)).numpy()
    assert TutorialExtraction(64)([data]).shape == (1, 2, 2, 1280)
