"""The train stage reads folders that belong together, however small they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_folders import WORDS, open_data, write_folders, write_vocabulary

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError
from captioning.text import Standardization, SubwordVocabulary, WordVocabulary, load_counts
from captioning.training.rewards import CaptionReward


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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("bias", "reason"),
    [
        (np.zeros(3, "float32"), r"float32 \[3\] instead of float32 \[9\]"),
        (np.zeros(9, "float64"), r"float64 \[9\] instead of float32 \[9\]"),
        (np.full(9, np.nan, "float32"), "do not follow from counts.parquet"),
        (np.full(9, np.inf, "float32"), "do not follow from counts.parquet"),
        (np.zeros(9, "float32"), "do not follow from counts.parquet"),
    ],
)
def test_an_output_bias_of_another_shape_or_value_is_damage(folder, bias, reason):
    np.save(folder / "vocabulary/output_bias.npy", bias)
    with pytest.raises(DamagedError, match=rf"output_bias\.npy is damaged .*{reason}.*: delete it"):
        open_data(folder)


def test_a_header_that_demands_too_much_memory_is_damage(folder):
    path = folder / "vocabulary/output_bias.npy"
    path.write_bytes(path.read_bytes().replace(b"(9,), }         ", b"(999999999999,)}"))
    with pytest.raises(DamagedError, match=r"output_bias\.npy is damaged"):
        open_data(folder)


def test_a_word_that_changed_after_it_was_counted_is_noticed(folder):
    path = folder / "vocabulary/vocabulary.txt"
    path.write_bytes(path.read_bytes().replace(b"dog", b"dig"))
    with pytest.raises(InputError, match="written with another vocabulary"):
        open_data(folder)
    data = WordVocabulary.load(folder / "vocabulary")
    with pytest.raises(InputError, match=r"vocabulary\.txt and counts\.parquet do not belong tog"):
        load_counts(folder / "vocabulary", data)


def test_features_and_tokens_of_different_numbers_of_images_are_refused(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_folders(other, WordVocabulary.fit(WORDS, 100), shards=1)
    (folder / "tokens").rename(folder / "old")
    (other / "tokens").rename(folder / "tokens")
    with pytest.raises(InputError, match=r"different train images \(\[2, 1\] and \[3\] in their"):
        open_data(folder)
