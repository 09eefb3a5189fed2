"""Every part of the benchmark runs on small data."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from imports import ROOT
from raw_table import write_scenes
from untrained_captioner import write_model

from benchmarks.alternate import Measured
from benchmarks.data import BenchData
from benchmarks.decoding import scaled_to_all_captions
from benchmarks.parts import PARTS, Bench
from benchmarks.report import as_json, table
from captioning.core.errors import InputError
from captioning.data.raw_table import read_raw
from captioning.extractors import make_extractor
from captioning.features.write_features import write_features
from captioning.text import WordVocabulary, output_bias
from captioning.tokens import write_tokens


def test_without_data_the_benchmark_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="run `make repro` first"):
        BenchData(tmp_path, tmp_path, 1, 1).check()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> BenchData:
    """The outputs of the pipeline for a few scenes of 64 pixels."""
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
    write_model(root / "data/model", vocabulary, captions)
    assert pq.read_table(raw / "test-00000-of-00001.parquet").num_rows == 32
    return BenchData(root, tmp_path_factory.mktemp("work"), 12, 3)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_benchmark_runs(tiny, part):
    tiny.check()
    if part == "training":
        tiny.write_share()
    bench = Bench(tiny, 1, 2, 3, 32, 8, 2, captioned=40)
    bench.ceilings |= {"matmul_float32": 1e11, "matmul_bfloat16": 2e11}
    rows = PARTS[part](bench)
    assert rows and all(row.reference > 0 and row.ours > 0 for row in rows)
    assert len(table(rows).splitlines()) >= 2 + len(rows)
    assert as_json(rows, {}, bench.details)["details"]
    if part == "training":
        losses = [side["losses"] for side in bench.details["training"].values()]
        assert all(len(row) == 3 and np.isfinite(row).all() for row in losses)
        # One float16 map per image, compared with a float32 map for each of five captions.
        assert rows[-1].ratio > 8
    if part == "decoding":
        captions = {name: side["captions"] for name, side in bench.details["decoding"].items()}
        # After only three training steps, logits are nearly equal, so captions are not compared
        # here; tests/model/test_reference.py does that.
        assert len(captions.pop("simple_gen")) == 2
        assert len(captions) == 3 and all(len(rows) == 8 for rows in captions.values())


def test_rates_of_a_few_captions_are_scaled_by_the_length_of_all():
    measured = Measured(rates=[2.0, 4.0], processor_rates=[1.0], peak_bytes=7)
    few, every = [[2, 5, 6, 7, 3]], [[2, 5, 3], [2, 5, 6, 3], [2, 3]]
    found = scaled_to_all_captions(measured, few, every)
    # Four tokens were produced per image; the mean of all images is two.
    assert found == Measured(rates=[4.0, 8.0], processor_rates=[2.0], peak_bytes=7)
    assert scaled_to_all_captions(measured, every, every) == measured
