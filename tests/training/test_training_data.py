"""The train stage reads folders that belong together, however small they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_table import write_raw_table
from tiny_training import PARAMS

from captioning.core.errors import InputError
from captioning.core.splits import SPLITS
from captioning.data.record_writer import write_index, write_shards
from captioning.features.write_features import feature_spec
from captioning.text import (
    Standardization,
    SubwordVocabulary,
    Vocabulary,
    WordVocabulary,
    output_bias,
)
from captioning.tokens import write_tokens
from captioning.training.data import TrainingData
from captioning.training.rewards import CaptionReward

CAPTIONS = {
    "train": [["a dog", "one dog runs"], ["a cat"], ["a dog runs"]],
    "validation": [["a cat runs", "a cat"]],
    "test": [["a dog"]],
}
WORDS = [caption for image in CAPTIONS["train"] for caption in image]


def write_folders(folder: Path, vocabulary: Vocabulary) -> None:
    """Write features, tokens and vocabulary as the stages do, with one validation image."""
    write_raw_table(folder / "raw", CAPTIONS)
    write_tokens(folder / "raw", folder / "tokens", vocabulary, 10)
    spec = feature_spec((2, 2, 4), "float16")
    random = np.random.default_rng(0)
    shards = {}
    for split in SPLITS:
        maps = {f"{split}{i}": random.random((2, 2, 4)) for i in range(len(CAPTIONS[split]))}
        records = [
            [{"image_id": name, "features": maps[name]} for name in list(maps)[shard::2]]
            for shard in range(2)
        ]
        shards[split] = write_shards(folder / "features", split, spec, records)
    write_index(folder / "features", spec, shards, {"extractor": "none"})
    write_vocabulary(folder / "vocabulary", vocabulary)


def write_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    folder.mkdir(exist_ok=True)
    counts = vocabulary.count(WORDS)
    vocabulary.save(folder)
    pq.write_table(pa.table({"count": counts}), folder / "counts.parquet")
    np.save(folder / "output_bias.npy", output_bias(counts))


def open_data(folder: Path) -> TrainingData:
    params = PARAMS.train.model_copy(update={"batch_images": 2, "captions_per_image": None})
    return TrainingData(folder / "features", folder / "tokens", folder / "vocabulary", params)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folders(tmp_path, WordVocabulary.fit(WORDS, 100))
    return tmp_path


def test_all_files_of_a_subword_vocabulary_determine_the_run(tmp_path):
    known = SubwordVocabulary.fit(WORDS, 24, standardization=Standardization("nfkc"))
    write_folders(tmp_path, known)
    data = open_data(tmp_path)
    assert data.vocabulary == known and len(data.output_bias) == 24
    names = {path.name for path in data.files}
    assert {"vocabulary.txt", "subwords.model", "standardization.json"} < names
    _, captions = next(iter(data.references("train")))
    assert data.vocabulary.decode(captions[0, 1].numpy()) == "one dog runs"
    (tmp_path / "vocabulary/standardization.json").unlink()
    with pytest.raises(InputError, match=r"tokens was written with another vocabulary: run `dvc "):
        open_data(tmp_path)


def test_one_validation_image_is_enough(folder):
    data = open_data(folder)
    assert data.steps_per_epoch == 2
    measured = data.measured()
    assert [sum(len(targets) for _, targets in batches) for batches in measured] == [1, 1]
    assert data.samples().image_ids == ["validation0"]


def test_references_are_all_captions_of_each_image_in_order(folder):
    data = open_data(folder)
    features, captions = next(iter(data.references("train")))
    assert features.shape == (2, 2, 2, 4)
    decoded = [[data.vocabulary.decode(ids) for ids in image] for image in captions.numpy()]
    assert decoded == [["a dog", "one dog runs"], ["a cat", ""]]


def test_shuffled_references_repeat_without_end_and_depend_on_the_seed(folder):
    data = open_data(folder)
    runs = [
        [captions.numpy().tolist() for _, captions in data.references("train", seed).take(6)]
        for seed in (1, 1, 2)
    ]
    assert len(runs[0]) == 6
    assert runs[0] == runs[1] != runs[2]


def test_no_dataset_starts_the_thread_whose_end_may_have_to_be_awaited(folder):
    data = open_data(folder)
    datasets = [data.batches(), *data.measured(), data.references("train")]
    assert [dataset.options().autotune.enabled for dataset in datasets] == [False] * 4


def test_the_reward_is_fitted_to_the_train_captions(folder):
    data = open_data(folder)
    _, captions = next(iter(data.references("train")))
    reward = CaptionReward.fit(data.captions("train"), bleu_weight=5.0)
    assert reward(captions.numpy(), captions.numpy())[0, 0] > 5.0


def test_tokens_of_another_vocabulary_are_refused(folder):
    write_vocabulary(folder / "vocabulary", WordVocabulary.fit(WORDS, 6))
    with pytest.raises(InputError, match=r"tokens was written with another vocabulary: run `dvc "):
        open_data(folder)
