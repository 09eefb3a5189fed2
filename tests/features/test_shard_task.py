"""The task of extracting one raw shard: delivery, repeated attempts, and errors by name."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import asdict

import pytest
from raw_table import write_scenes

from captioning.cluster.object_store import Store
from captioning.core.files import sha256
from captioning.core.opening import read_sealed_json
from captioning.extractors.efficientnet_lite0 import weights_path
from captioning.features.shard_task import (
    MAX_ATTEMPTS,
    ShardTask,
    attempts_file,
    extract_shard,
)
from captioning.runtime.scratch import library_versions

NAME = "train-00000-of-00001"


@pytest.fixture
def row(tmp_path) -> dict[str, object]:
    raw = write_scenes(tmp_path / "raw", 1, 64, train_images=1, validation_images=1, test_images=1)
    task = ShardTask(
        split="train",
        raw_store=f"file://{raw}",
        raw_name=f"{NAME}.parquet",
        raw_sha256="",
        name=NAME,
        store=f"file://{tmp_path}/store",
        extractor="efficientnet_lite0",
        image_size=32,
        dtype="float16",
        weights_sha256=sha256(weights_path()),
        libraries=json.dumps(library_versions()),
        threads=0,
    )
    return asdict(task)


def test_a_shard_and_its_summary_are_delivered(row, tmp_path):
    result = extract_shard(row)
    shard = tmp_path / "store" / f"{NAME}.tfrecord"
    assert result.pop("error") == ""
    assert result == read_sealed_json(shard.with_suffix(".json"))
    assert result["examples"] == 1 and result["sha256"] == sha256(shard)


def test_a_delivered_shard_is_not_extracted_again(row, tmp_path):
    wanted = extract_shard(row)
    (tmp_path / "raw" / f"{NAME}.parquet").unlink()
    assert extract_shard(row) == wanted


def test_a_shard_without_its_summary_is_extracted_again(row, tmp_path):
    wanted = extract_shard(row)
    (tmp_path / "store" / f"{NAME}.json").unlink()
    (tmp_path / "store" / f"{NAME}.tfrecord").write_bytes(b"half")
    assert extract_shard(row) == wanted
    assert sha256(tmp_path / "store" / f"{NAME}.tfrecord") == wanted["sha256"]


def test_a_shard_that_lost_too_many_workers_is_an_error(row, tmp_path):
    Store(str(row["store"])).write(attempts_file(NAME), str(MAX_ATTEMPTS).encode())
    assert f"{NAME} lost its worker {MAX_ATTEMPTS} times" in extract_shard(row)["error"]


def test_a_raw_shard_in_a_folder_that_is_not_shared_is_named(row, tmp_path):
    (tmp_path / "raw" / f"{NAME}.parquet").unlink()
    error = extract_shard(row)["error"]
    assert f"{tmp_path}/raw/{NAME}.parquet is missing on" in error and "CAPTIONING_STORE" in error


def test_a_worker_with_another_library_version_is_refused(row):
    versions = {**library_versions(), "pillow": "1.0"}
    error = extract_shard({**row, "libraries": json.dumps(versions)})["error"]
    assert f"has pillow {library_versions()['pillow']} instead of 1.0" in error


def test_a_worker_with_other_weights_is_refused(row):
    error = extract_shard({**row, "weights_sha256": "0" * 64})["error"]
    assert "has other weights for efficientnet_lite0" in error


def test_a_damaged_raw_shard_is_named(row, tmp_path):
    raw = tmp_path / "raw" / f"{NAME}.parquet"
    raw.write_bytes(raw.read_bytes()[:-10])
    assert f"{NAME}.parquet is damaged" in extract_shard(row)["error"]


def test_an_error_of_the_disk_names_the_machine(row, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert re.search(
        rf"No such file.*nowhere.*, on {socket.gethostname()}", extract_shard(row)["error"]
    )
