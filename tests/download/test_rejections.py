"""Rejections are counted; a table is written if there are many of them."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from captioning.download.datasets import rejections as module
from captioning.download.datasets.rejections import MAX_LISTED_NAMES, Rejections


def fill(rejections: Rejections, count: int) -> None:
    """Add `count` rejections for one reason, and one for another."""
    for number in range(count):
        rejections.add("status 404", f"picture {number}")
    rejections.add("empty image", "the last")


def test_all_are_counted_and_the_first_names_for_each_reason_are_listed() -> None:
    rejections = Rejections()
    fill(rejections, MAX_LISTED_NAMES + 1)
    assert rejections.counts() == {"empty image": 1, "status 404": MAX_LISTED_NAMES + 1}
    assert rejections.listed_names() == {
        "empty image": ["the last"],
        "status 404": [f"picture {number}" for number in range(MAX_LISTED_NAMES)],
    }


@pytest.mark.parametrize("rows", [7, 1000])
def test_all_names_go_to_a_table_if_there_are_more_than_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(module, "_ROWS_IN_MEMORY", rows)
    with Rejections(tmp_path / "rejected.parquet") as rejections:
        fill(rejections, MAX_LISTED_NAMES + 1)
    table = pq.read_table(tmp_path / "rejected.parquet").to_pylist()
    assert len(table) == MAX_LISTED_NAMES + 2
    assert table[MAX_LISTED_NAMES] == {
        "reason": "status 404",
        "name": f"picture {MAX_LISTED_NAMES}",
    }
    assert table[-1] == {"reason": "empty image", "name": "the last"}


def test_no_table_is_left_if_all_names_are_listed_or_the_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS_IN_MEMORY", 7)
    with Rejections(tmp_path / "rejected.parquet") as rejections:
        fill(rejections, MAX_LISTED_NAMES)
    with pytest.raises(ValueError, match="no"), Rejections(tmp_path / "rejected.parquet") as other:
        fill(other, MAX_LISTED_NAMES + 1)
        raise ValueError("no")
    assert not list(tmp_path.iterdir())
