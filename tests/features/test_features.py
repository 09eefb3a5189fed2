"""Writing features: order, batches, resuming after a kill, and what is refused."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from raw_table import write_scenes

from captioning.core.errors import InputError
from captioning.data.images.decode import load_pixels
from captioning.data.raw_table import raw_shards, read_raw, read_raw_shard
from captioning.data.record_folder import RecordFolder
from captioning.features.write_features import (
    batch_images,
    extract,
    feature_records,
    write_features,
)

SIZE = 64


class MeanColour:
    """Backbone whose one cell is the picture's mean colour times `gain`."""

    name = "mean_colour"
    image_size = SIZE
    output_shape = (1, 1, 3)
    weights_sha256 = "0" * 64

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain
        self.batches: list[int] = []

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(images))
        return (images.mean(axis=(1, 2), keepdims=True) * self.gain).astype("float32")


@pytest.fixture
def raw(tmp_path) -> Path:
    """40 train images in 3 shards, 5 of the other splits."""
    counts = {"train_images": 40, "validation_images": 5, "test_images": 5}
    return write_scenes(tmp_path / "raw", 3, SIZE, **counts)


def test_every_image_is_extracted_once_in_the_order_and_shards_of_the_raw_table(raw, tmp_path):
    extractor = MeanColour()
    summary = write_features(raw, tmp_path / "features", extractor, "float32")
    folder = RecordFolder.open(tmp_path / "features")
    assert summary["images"] == {"train": 40, "validation": 5, "test": 5}
    assert summary["bytes"] == sum(p.stat().st_size for p in folder.folder.glob("*.tfrecord"))
    for shard in range(3):
        rows = list(read_raw_shard(raw_shards(raw, "train")[shard]))
        records = list(folder.dataset("train", shard).as_numpy_iterator())
        assert [r["image_id"].decode() for r in records] == [row["image_id"] for row in rows]
        for record, row in zip(records, rows, strict=True):
            wanted = load_pixels(row["image"], SIZE, "x").mean(axis=(0, 1))
            np.testing.assert_allclose(record["features"][0, 0], wanted, rtol=1e-5)


def test_all_batches_have_the_same_size_for_any_number_of_images():
    extractor = MeanColour()
    images = np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
    assert extract(extractor, images).shape == (40, 1, 1, 3)
    assert set(extractor.batches) == {batch_images(SIZE)}


class UnevenlySlow(MeanColour):
    """Takes longer for some batches than for others."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(0.02 * (len(self.batches) % 3))
        return super().__call__(images)


def test_threads_that_finish_out_of_order_do_not_change_the_records(raw, tmp_path, monkeypatch):
    write_features(raw, tmp_path / "features", MeanColour(), "float16")
    monkeypatch.setattr("captioning.features.write_features.batch_images", lambda size: 4)
    rows = list(read_raw(raw, "train"))
    folder = RecordFolder.open(tmp_path / "features")
    written = [record for k in range(3) for record in folder.dataset("train", k)]
    expected = {r["image_id"].numpy().decode(): r["features"].numpy() for r in written}
    records = list(feature_records(iter(rows), UnevenlySlow(), threads=5))
    assert [record["image_id"] for record in records] == [row["image_id"] for row in rows]
    for record in records:
        wanted = expected[record["image_id"]]
        np.testing.assert_array_equal(record["features"].astype("float16"), wanted)


def test_the_image_of_a_feature_too_large_for_half_precision_is_named(raw, tmp_path):
    with pytest.raises(InputError, match=r"scene-train-\d+.*features.*not finite"):
        write_features(raw, tmp_path / "features", MeanColour(gain=1e4), "float16")
    assert not (tmp_path / "features/index.json").exists()


def test_the_index_records_extractor_image_size_and_weights(raw, tmp_path):
    write_features(raw, tmp_path / "features", MeanColour(), "float16")
    index = json.loads((tmp_path / "features/index.json").read_text())
    assert index["extra"] == {
        "extractor": "mean_colour",
        "image_size": SIZE,
        "weights_sha256": "0" * 64,
    }


def test_a_damaged_raw_shard_is_refused_by_name(raw, tmp_path):
    shard = raw / "train-00001-of-00003.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match="train-00001-of-00003.parquet is damaged"):
        write_features(raw, tmp_path / "features", MeanColour(), "float16")


class KilledError(Exception):
    """Simulates a kill of the process."""


class KilledAtBatch(MeanColour):
    """Is killed at a given batch."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(self.batches) == self.at:
            raise KilledError
        return super().__call__(images)


def test_finished_shards_are_kept_and_not_extracted_again(raw, tmp_path):
    wanted = write_features(raw, tmp_path / "wanted", MeanColour(), "float16")
    scratch, folder = tmp_path / "scratch", tmp_path / "features"
    folder.mkdir()
    # Every shard is one batch: by then, the train shards and one validation shard are finished.
    with pytest.raises(KilledError):
        write_features(raw, folder, KilledAtBatch(at=4), "float16", scratch)
    assert not list(folder.iterdir())
    again = MeanColour()
    assert write_features(raw, folder, again, "float16", scratch) == wanted
    assert len(again.batches) == 9 - 4
    names = {path.name for path in (tmp_path / "wanted").iterdir()}
    assert len(names) > 3 and names == {path.name for path in folder.iterdir()}
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "wanted" / name).read_bytes()


def test_a_finished_shard_that_was_altered_is_extracted_again(raw, tmp_path):
    scratch, folder = tmp_path / "scratch", tmp_path / "features"
    folder.mkdir()
    with pytest.raises(KilledError):
        write_features(raw, folder, KilledAtBatch(at=4), "float16", scratch)
    shard = scratch / "train-00001-of-00003.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1])
    again = MeanColour()
    write_features(raw, folder, again, "float16", scratch)
    assert len(again.batches) == 9 - 4 + 1
    RecordFolder.open(folder)
