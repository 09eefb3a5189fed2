"""Two hundred damaged copies of every kind of file: one line each, and no silent change."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from mutations import mutations
from raw_table import write_scenes
from tiny_training import make_decoder
from training_folders import WORDS, write_folders

from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.core.opening import read_sealed_json, write_sealed_json
from captioning.core.splits import INDEX
from captioning.data.raw_table import COLUMNS, read_raw_shard
from captioning.data.record_folder import RecordFolder
from captioning.data.record_writer import finished_shard, summary_path
from captioning.model.bundle import Bundle, load_bundle, save_bundle
from captioning.model.familiarity import Familiarity
from captioning.text import (
    SPECIAL_TOKENS,
    Standardization,
    SubwordVocabulary,
    WordVocabulary,
    load_bias,
    load_counts,
    load_vocabulary,
)
from captioning.training.checkpoints import Checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.long]

COPIES = 200
MOST_SECONDS = 20
SOURCE = {"extractor": "none", "image_size": 64, "weights_sha256": "0" * 64}


@pytest.fixture
def folder(tmp_path) -> Path:
    """Everything that the stages write, small; nothing else may appear beside it."""
    root = tmp_path / "root"
    standardization = Standardization("nfkc")
    vocabulary = SubwordVocabulary.fit(WORDS, 24, standardization=standardization)
    write_folders(root, vocabulary)
    write_scenes(root / "scenes", 1, 64, train_images=3, validation_images=1, test_images=1)
    decoder = make_decoder()
    words = WordVocabulary((*SPECIAL_TOKENS, *"abcdefgh"))
    known = Familiarity(np.ones(4, "f4"), np.ones((2, 4), "f4"), np.array(1, "f4"))
    save_bundle(root / "model", Bundle(decoder, words, SOURCE, "scenes", known))
    unsealed = shutil.copytree(root / "model", root / "unsealed")
    values = read_sealed_json(unsealed / "captioner.json")
    del values["decoder_sha256"]
    write_json(unsealed / "captioner.json", values)
    _save_checkpoint(root / "checkpoint.npz", decoder)
    shard = root / "features/train-00000-of-00002.tfrecord"
    summaries = read_sealed_json(root / "features" / INDEX)["splits"]["train"]
    write_sealed_json(summary_path(shard), summaries[0])
    return root


def _save_checkpoint(path: Path, decoder: keras.Model) -> None:
    decoder.compile(optimizer="adam")
    decoder.optimizer.build(decoder.trainable_variables)
    stopper = keras.callbacks.EarlyStopping()
    stopper.on_train_begin()
    checkpoint = Checkpoint(path, stopper, [SimpleNamespace(rows=[1])])
    checkpoint.set_model(decoder)
    checkpoint.finish()


def _records(root: Path, name: str) -> Any:
    folder = RecordFolder.open(root / name)
    return [
        [record.numpy() for record in folder.serialized(split, shard)]
        for split in ("train", "validation", "test")
        for shard in range(folder.shards(split))
    ], folder.extra


def _bundle(root: Path, name: str) -> Any:
    bundle = load_bundle(root / name)
    weights = [weight.tobytes() for weight in bundle.decoder.get_weights()]
    return weights, bundle.decoder.get_config(), bundle.vocabulary.sha256, *bundle[2:]


def _statistics(root: Path) -> Any:
    vocabulary = load_vocabulary(root / "vocabulary")
    counts = load_counts(root / "vocabulary", vocabulary)
    return vocabulary.sha256, counts.tolist(), load_bias(root / "vocabulary", counts).round(3)


def _rows(root: Path, part: str) -> Any:
    columns = [field.name for field in COLUMNS]
    paths = sorted((root / part).glob("*.parquet"))
    return [list(read_raw_shard(path, columns)) for path in paths]


def _checkpoint(root: Path) -> Any:
    path = root / "checkpoint.npz"
    recorder = SimpleNamespace(rows=[])
    found = Checkpoint(path, keras.callbacks.EarlyStopping(), [recorder])
    # A damaged one counts as none, and is gone.
    assert (found._saved is None) == (not path.exists())
    if found._saved is None:
        raise InputError("none")
    return found.reports, found.finished, recorder.rows, str(found._saved)


def _shard_summary(root: Path) -> Any:
    found = finished_shard(root / "features/train-00000-of-00002.tfrecord")
    if found is None:
        raise InputError("none")
    return found


KINDS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "index of features": (f"features/{INDEX}", lambda root: _records(root, "features")),
    "shard of features": (
        "features/train-00000-of-00002.tfrecord",
        lambda root: _records(root, "features"),
    ),
    "summary of a finished shard": ("features/train-00000-of-00002.json", _shard_summary),
    "index of tokens": (f"tokens/{INDEX}", lambda root: _records(root, "tokens")),
    "decoder": ("model/decoder.keras", lambda root: _bundle(root, "model")),
    "decoder without a checksum": (
        "unsealed/decoder.keras",
        lambda root: _bundle(root, "unsealed"),
    ),
    "source of the features": ("model/captioner.json", lambda root: _bundle(root, "model")),
    "familiarity": ("model/familiarity.npz", lambda root: _bundle(root, "model")),
    "words": ("model/vocabulary.txt", lambda root: _bundle(root, "model")),
    "list of subwords": ("vocabulary/vocabulary.txt", _statistics),
    "subwords": ("vocabulary/subwords.model", _statistics),
    "standardization": ("vocabulary/standardization.json", _statistics),
    "counts": ("vocabulary/counts.parquet", _statistics),
    "output bias": ("vocabulary/output_bias.npy", _statistics),
    "images": ("scenes/train-00000-of-00001.parquet", lambda root: _rows(root, "scenes")),
    "checkpoint": ("checkpoint.npz", _checkpoint),
}
# A mutation may hit bytes that say nothing, such as white space or padding.
HARMLESS = 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_of_a_file_gives_a_traceback_another_result_or_a_hang(folder, kind, capfd):
    name, read = KINDS[kind]
    path = folder / name
    whole = path.read_bytes()
    expected = read(folder)
    files = set(folder.parent.rglob("*"))
    refused = 0
    for number, changed in enumerate(mutations(whole, COPIES)):
        path.write_bytes(changed)
        started = time.monotonic()
        try:
            np.testing.assert_equal(read(folder), expected, err_msg=f"mutation {number}")
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
        assert time.monotonic() - started < MOST_SECONDS, f"mutation {number}"
        assert set(folder.parent.rglob("*")) <= files, f"mutation {number}"
    assert refused >= (1 - HARMLESS) * COPIES
    path.write_bytes(whole)
    np.testing.assert_equal(read(folder), expected)
