"""The stage `vocabulary` on small raw tables."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from imports import ROOT
from raw_table import write_raw_table

from captioning.core.errors import InputError
from captioning.core.files import read_json, sha256
from captioning.params.stages import Params, VocabularyParams, load_params
from captioning.text import WordVocabulary, load_vocabulary, output_bias

SCRIPT = ROOT / "stages" / "vocabulary.py"
CAPTIONS = {
    "train": [["A dog runs.", "a dog!"], ["The cat sleeps", "a cat"], ["a bird"]],
    "validation": [["a zebra runs"], ["a dog"]],
    "test": [["zebra", "..."]],
}


def run_stage(folder: Path, max_size: int, **changes: object) -> None:
    params: Params = load_params(ROOT / "params.yaml")
    values = params.vocabulary.model_dump() | {"max_size": max_size, **changes}
    params = params.model_copy(update={"vocabulary": VocabularyParams(**values)})
    runpy.run_path(str(SCRIPT))["vocabulary"](params)


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_raw_table(tmp_path / "data" / "raw", CAPTIONS)
    return tmp_path


def test_the_stage_writes_vocabulary_counts_and_output_bias(repository):
    run_stage(repository, max_size=100, min_count=2)
    folder = repository / "data" / "vocabulary"
    assert {path.name for path in folder.iterdir()} == {
        "vocabulary.txt",
        "counts.parquet",
        "output_bias.npy",
    }
    vocabulary = WordVocabulary.load(folder)
    assert vocabulary.tokens[4:] == ("a", "cat", "dog")
    counts = pq.read_table(folder / "counts.parquet").to_pydict()
    assert counts == {
        "token": ["", "[UNK]", "[START]", "[END]", "a", "cat", "dog"],
        "count": [0, 4, 5, 5, 4, 2, 2],
    }
    bias = np.load(folder / "output_bias.npy")
    assert bias.dtype == np.float32
    np.testing.assert_array_equal(bias, output_bias(np.array(counts["count"])))


def test_the_figures_agree_with_those_computed_by_hand(repository):
    run_stage(repository, max_size=100, min_count=2)
    p = np.array([5, 4, 2, 2]) / 13
    assert read_json("metrics/vocabulary.json") == {
        "size": 7,
        "coverage": pytest.approx(8 / 12, abs=1e-6),
        "out_of_vocabulary_rate": {
            "train": pytest.approx(4 / 12, abs=1e-6),
            "validation": pytest.approx(2 / 5, abs=1e-6),
            "test": 1.0,
        },
        "uniform_entropy": pytest.approx(np.log(7), abs=1e-6),
        "marginal_entropy": pytest.approx(-(p * np.log(p)).sum(), abs=1e-6),
    }


def test_words_of_the_other_splits_are_not_in_the_vocabulary(repository):
    run_stage(repository, max_size=100, min_count=1)
    vocabulary = WordVocabulary.load("data/vocabulary")
    assert "runs" in vocabulary.tokens
    assert "zebra" not in vocabulary.tokens
    assert read_json("metrics/vocabulary.json")["coverage"] == 1


def test_old_outputs_are_replaced(repository):
    folder = repository / "data" / "vocabulary"
    folder.mkdir()
    (folder / "stale").write_bytes(b"")
    run_stage(repository, max_size=100, min_count=1)
    run_stage(repository, max_size=5, min_count=1)
    assert not (folder / "stale").exists()
    assert len(WordVocabulary.load(folder)) == 5


def test_a_split_without_captions_has_no_unknown_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_raw_table(tmp_path / "data" / "raw", {**CAPTIONS, "test": []})
    run_stage(tmp_path, max_size=100, min_count=1)
    assert read_json("metrics/vocabulary.json")["out_of_vocabulary_rate"]["test"] == 0


def test_a_min_count_that_leaves_no_word_is_refused_before_anything_is_written(repository):
    with pytest.raises(InputError, match=r"at least vocabulary.min_count \(9\) times"):
        run_stage(repository, max_size=100, min_count=9)
    assert not (repository / "data" / "vocabulary").exists()


@pytest.mark.parametrize(("kind", "number"), [("word", 4), ("subword", 5)])
def test_hash_seed_and_locale_do_not_change_the_bytes(tmp_path, kind, number):
    written = []
    for seed, locale in (("1", "C"), ("2", "C.UTF-8")):
        folder = tmp_path / seed
        captions = {**CAPTIONS, "train": [*CAPTIONS["train"], ["собака 狗 größer größer ß ñ 狗"]]}
        write_raw_table(folder / "data" / "raw", captions)
        params = (ROOT / "params.yaml").read_text(encoding="utf-8")
        params = params.replace("  kind: word\n", f"  kind: {kind}\n")
        (folder / "params.yaml").write_text(params, encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "LC_ALL": locale,
            "PYTHONPATH": str(ROOT / "src"),
        }
        subprocess.run([sys.executable, SCRIPT], cwd=folder, env=environment, check=True)
        files = [*(folder / "data" / "vocabulary").iterdir(), folder / "metrics/vocabulary.json"]
        written.append({path.name: sha256(path) for path in files})
    assert len(written[0]) == number
    assert written[0] == written[1]


KOREAN = {
    "train": [["빨간 별이 있다.", "빨간 별 하나"], ["파란 원이 있다!"], ["파란 별과 빨간 원"]],
    "validation": [["노란 별이 있다"]],
    "test": [["빨간 원이 있다"]],
}


def test_the_stage_with_subwords_writes_the_model_and_figures_of_pieces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_raw_table(tmp_path / "data" / "raw", KOREAN)
    run_stage(tmp_path, max_size=32, kind="subword", normalization="nfkc")
    folder = tmp_path / "data" / "vocabulary"
    assert {path.name for path in folder.iterdir()} == {
        "vocabulary.txt",
        "subwords.model",
        "standardization.json",
        "counts.parquet",
        "output_bias.npy",
    }
    vocabulary = load_vocabulary(folder)
    counts = pq.read_table(folder / "counts.parquet").to_pydict()
    assert tuple(counts["token"]) == vocabulary.tokens and len(vocabulary) == 32
    train = [caption for image in KOREAN["train"] for caption in image]
    assert counts["count"] == vocabulary.count(train).tolist()
    assert len(np.load(folder / "output_bias.npy")) == 32
    figures = read_json("metrics/vocabulary.json")
    assert figures["size"] == 32 and figures["coverage"] == 1
    # One piece of the validation caption is unknown: the first syllable.
    pieces = vocabulary.encode("노란 별이 있다")[1:-1]
    assert pieces.count(1) == 1
    rates = figures["out_of_vocabulary_rate"]
    assert rates["validation"] == pytest.approx(1 / len(pieces), abs=1e-6)
    assert rates["train"] == rates["test"] == 0


def test_a_max_size_too_small_for_all_characters_is_refused_before_anything_is_written(repository):
    with pytest.raises(InputError, match=r"vocabulary.max_size is 9, but a piece for every"):
        run_stage(repository, max_size=9, kind="subword")
    assert not (repository / "data" / "vocabulary").exists()
