"""Writing captions as token ids, and the stage `tokens`."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from imports import ROOT
from raw_table import write_raw_table

from captioning.core.errors import InputError
from captioning.core.files import read_json, sha256
from captioning.core.splits import SPLITS
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_folder import RecordFolder
from captioning.params.stages import load_params
from captioning.text import (
    END,
    SPECIAL_TOKENS,
    START,
    UNK,
    SubwordVocabulary,
    WordVocabulary,
    save_statistics,
)
from captioning.tokens import length_summary, write_tokens

VOCABULARY = WordVocabulary((*SPECIAL_TOKENS, "a", "dog", "runs", "slowly"))
CAPTIONS = {
    "train": [
        ["A dog runs.", "a dog", "..."],
        ["A dog runs slowly"],
        ["a zebra", "a dog runs slowly slowly slowly"],
        ["a"],
        ["dog", "dog dog"],
    ],
    "validation": [["a"], ["dog"]],
    "test": [],
}


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "data" / "raw"
    write_raw_table(folder, CAPTIONS, shards=3)
    return folder


def stored_tokens(folder: Path, split: str, shard: int) -> list[tuple[str, list[list[int]]]]:
    """Image ids and token ids of one shard, in order."""
    return [
        (record["image_id"].numpy().decode(), record["tokens"].to_list())
        for record in RecordFolder.open(folder).dataset(split, shard=shard)
    ]


def test_records_hold_every_caption_between_start_and_end(raw, tmp_path):
    write_tokens(raw, tmp_path / "tokens", VOCABULARY, max_length=50)
    a, dog, runs, slowly = range(4, 8)
    assert stored_tokens(tmp_path / "tokens", "train", 0) == [
        ("train0", [[START, a, dog, runs, END], [START, a, dog, END], [START, END]]),
        ("train3", [[START, a, END]]),
    ]
    assert stored_tokens(tmp_path / "tokens", "train", 2) == [
        (
            "train2",
            [[START, a, UNK, END], [START, a, dog, runs, slowly, slowly, slowly, END]],
        )
    ]


def test_shards_line_up_with_the_raw_table(raw, tmp_path):
    write_tokens(raw, tmp_path / "tokens", VOCABULARY, max_length=50)
    for split in SPLITS:
        for shard in range(3):
            rows = list(read_raw_shard(raw_shards(raw, split)[shard], ["image_id", "captions"]))
            records = stored_tokens(tmp_path / "tokens", split, shard)
            assert [image_id for image_id, _ in records] == [row["image_id"] for row in rows]
            assert [len(tokens) for _, tokens in records] == [len(row["captions"]) for row in rows]
    assert RecordFolder.open(tmp_path / "tokens").count("train") == 5
    assert RecordFolder.open(tmp_path / "tokens").count("test") == 0


def test_long_captions_are_truncated_and_counted(raw, tmp_path):
    summary = write_tokens(raw, tmp_path / "tokens", VOCABULARY, max_length=5)
    tokens = dict(stored_tokens(tmp_path / "tokens", "train", 2))["train2"]
    assert tokens[1] == [START, 4, 5, 6, END]
    assert summary["train"] == {
        "captions": 9,
        # Lengths before truncation: 5, 4, 2, 6, 4, 8, 3, 3, 4.
        "length": {
            "mean": pytest.approx(39 / 9, abs=1e-6),
            "p50": 4.0,
            "p95": pytest.approx(7.2),
            "max": 8,
        },
        "truncated": 2,
        "truncated_share": pytest.approx(2 / 9, abs=1e-6),
    }
    assert summary["test"] == length_summary([], max_length=5)
    assert summary["test"]["captions"] == summary["test"]["length"]["max"] == 0


def test_a_caption_of_exactly_the_maximum_length_is_not_truncated():
    assert length_summary([5, 5, 6], max_length=5)["truncated"] == 1
    assert length_summary([5, 5], max_length=5)["truncated_share"] == 0


def test_captions_in_subwords_are_truncated_and_counted_in_pieces(tmp_path):
    captions = {**CAPTIONS, "train": [["빨간 별이 있다", "별"], ["파란 별"]]}
    write_raw_table(tmp_path / "raw", captions, shards=1)
    vocabulary = SubwordVocabulary.fit([c for image in captions["train"] for c in image], 20)
    summary = write_tokens(tmp_path / "raw", tmp_path / "tokens", vocabulary, max_length=4)
    whole = [vocabulary.encode(caption) for caption in captions["train"][0]]
    assert len(whole[0]) > 4 >= len(whole[1])
    records = dict(stored_tokens(tmp_path / "tokens", "train", 0))
    assert records["train0"] == [[*whole[0][:3], END], whole[1]]
    assert summary["train"]["length"]["max"] == len(whole[0])
    assert summary["train"]["truncated"] == 1 + (len(vocabulary.encode("파란 별")) > 4)
    assert RecordFolder.open(tmp_path / "tokens").extra["vocabulary_sha256"] == vocabulary.sha256


def test_the_index_records_the_checksum_of_the_vocabulary_and_the_maximum_length(raw, tmp_path):
    write_tokens(raw, tmp_path / "tokens", VOCABULARY, max_length=5)
    extra = RecordFolder.open(tmp_path / "tokens").extra
    assert extra == {"vocabulary_sha256": VOCABULARY.sha256, "max_length": 5}


def test_an_image_without_captions_is_refused(tmp_path):
    write_raw_table(tmp_path / "raw", {**CAPTIONS, "validation": [["a"], []]})
    with pytest.raises(
        InputError, match=r"validation-.*parquet: image 'validation1' has no caption"
    ):
        write_tokens(tmp_path / "raw", tmp_path / "tokens", VOCABULARY, max_length=5)


def test_writing_the_same_captions_again_gives_the_same_bytes(raw, tmp_path):
    written = []
    for name in ("one", "two"):
        write_tokens(raw, tmp_path / name, VOCABULARY, max_length=5)
        written.append({path.name: sha256(path) for path in (tmp_path / name).iterdir()})
    assert len(written[0]) == 3 * 3 + 1
    assert written[0] == written[1]


def run_stage() -> None:
    params = load_params(ROOT / "params.yaml")
    params = params.model_copy(update={"model": params.model.model_copy(update={"max_length": 5})})
    runpy.run_path(str(ROOT / "stages" / "tokens.py"))["tokens"](params)


def test_the_stage_replaces_old_outputs_and_writes_its_figures(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    VOCABULARY.save("data/vocabulary")
    save_statistics(Path("data/vocabulary"), VOCABULARY, np.ones(len(VOCABULARY), np.int64))
    Path("data/tokens").mkdir()
    Path("data/tokens/stale").touch()
    run_stage()
    assert not Path("data/tokens/stale").exists()
    assert len(stored_tokens(Path("data/tokens"), "train", 0)) == 2
    metrics = read_json("metrics/tokens.json")
    assert {split: metrics[split]["captions"] for split in SPLITS} == {
        "train": 9,
        "validation": 2,
        "test": 0,
    }
    assert metrics["train"]["truncated"] == 2


def test_the_stage_without_a_vocabulary_says_what_to_run(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"vocabulary\.txt is missing: run `dvc repro vocabulary`"):
        run_stage()
