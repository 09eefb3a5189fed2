from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from captioning.download.datasets import rejections as module
from captioning.download.datasets.rejections import LISTED, Rejections


def fill(rejections: Rejections, count: int) -> None:
    for number in range(count):
        rejections.add("status 404", f"picture {number}")
    rejections.add("empty image", "the last")


def test_all_are_counted_and_the_first_of_each_reason_listed() -> None:
    rejections = Rejections()
    fill(rejections, LISTED + 1)
    assert rejections.counts() == {"empty image": 1, "status 404": LISTED + 1}
    assert rejections.items() == {
        "empty image": ["the last"],
        "status 404": [f"picture {number}" for number in range(LISTED)],
    }


@pytest.mark.parametrize("rows", [7, 1000])
def test_more_than_is_listed_goes_to_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(module, "_ROWS", rows)
    with Rejections(tmp_path / "rejected.parquet") as rejections:
        fill(rejections, LISTED + 1)
    table = pq.read_table(tmp_path / "rejected.parquet").to_pylist()
    assert len(table) == LISTED + 2
    assert table[LISTED] == {"reason": "status 404", "name": f"picture {LISTED}"}
    assert table[-1] == {"reason": "empty image", "name": "the last"}


def test_there_is_no_table_where_all_are_listed_or_the_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", 7)
    with Rejections(tmp_path / "rejected.parquet") as rejections:
        fill(rejections, LISTED)
    with pytest.raises(ValueError, match="no"), Rejections(tmp_path / "rejected.parquet") as other:
        fill(other, LISTED + 1)
        raise ValueError("no")
    assert not list(tmp_path.iterdir())
