"""The benchmark runs both sides in turns and reports them in rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.alternate import Measured, Work, alternate
from benchmarks.report import Row, as_json, compare, table


class LogsItsName(Work):
    """Appends its name to a file in every run."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def run(self) -> float:
        with open(self.path, "a") as file:
            file.write(self.name)
        return 10

    def facts(self):
        return {"name": self.name}


class Failing(Work):
    """Fails while it is prepared."""

    def __init__(self) -> None:
        raise ValueError("no such thing")


def test_both_sides_run_in_turns_and_report_rates_and_facts(tmp_path):
    path = tmp_path / "order"
    sides = {name: (LogsItsName, {"path": path, "name": name}) for name in "AB"}
    found = alternate(sides, 3)
    assert path.read_text() == "ABABAB"
    assert all(len(found[name].rates) == 3 and found[name].rate > 0 for name in "AB")
    assert found["B"].facts == {"name": "B"} and found["A"].peak_bytes > 1e6


def test_a_failing_side_is_named_with_its_traceback():
    with pytest.raises(RuntimeError, match=r"(?s)side ours failed.*ValueError: no such thing"):
        alternate({"ours": (Failing, {})}, 1)


def test_a_row_compares_medians_with_the_target_and_the_ceiling():
    reference = Measured([1.0, 3.0, 2.0], [2.0, 2.0, 1.0], 10)
    ours = Measured([10.0, 8.0, 9.0], [5.0, 5.0, 7.0], 20)
    row = compare("part", "images/s", reference, ours, 5, work=100, ceiling=("products", 1000))
    assert (row.reference, row.ours, row.ratio, row.met) == (2.0, 9.0, 4.5, False)
    assert (row.share_reference, row.share_ours, row.processor_ratio) == (0.2, 0.5, 2.5)
    text = table([row, Row("other", "bytes", 9, 1, 9.0, 9)])
    assert "5 (missed)" in text and "20% → 50% products" in text
    assert as_json([row], {}, {})["rows"][0]["met"] is False


def test_a_note_says_that_a_side_used_fewer_cores_in_some_runs():
    reference = Measured([98.0, 186.0, 98.0], [100.0, 102.0, 98.0], 10)
    ours = Measured([300.0, 310.0, 305.0], [170.0, 175.0, 171.0], 20)
    row = compare("part", "images/s", reference, ours, work=1, ceiling=("products", 1000), note="a")
    assert row.note == (
        "a; reference used 1.0 to 1.8 cores, depending on the run: compare processor time"
    )
    assert compare("part", "images/s", ours, ours, work=1, ceiling=("products", 1000)).note == ""
