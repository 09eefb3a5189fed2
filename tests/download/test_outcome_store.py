"""Outcomes of URLs that were fetched before, in files that may be damaged."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captioning.core.opening import DamagedError
from captioning.download.web.outcome_store import Block, Line, OutcomeStore
from captioning.download.web.shard_fetcher import result_path, stats_path

BLOCK = Block(0, (Line(1, "http://example.org/a.jpg", "a dog", "train"),))


@pytest.fixture
def run(tmp_path) -> Path:
    """A run that fetched one URL, without an image."""
    folder = tmp_path / "0000"
    folder.mkdir()
    row = {"line": 1, "status": "failed_to_download", "error_message": "HTTP 404", "sha256": None}
    pq.write_table(pa.Table.from_pylist([row]), result_path(folder, 0))
    stats_path(folder, 0).write_text("{}")
    return folder


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_damaged_file_is_named_and_fetched_again_without_its_counts(run, cut):
    store = OutcomeStore(run.parent)
    assert list(store.outcomes(BLOCK, images=False)) == [1]
    path = result_path(run, 0)
    path.write_bytes(path.read_bytes()[:cut])
    message = (
        rf"\.parquet is damaged \(.*\): delete .*{stats_path(run, 0).name} and run `dvc repro "
    )
    with pytest.raises(DamagedError, match=message):
        store.missing(BLOCK, retry=False)
    stats_path(run, 0).unlink()
    assert store.missing(BLOCK, retry=False) == [*BLOCK.lines]
