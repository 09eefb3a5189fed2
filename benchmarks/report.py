"""The rows of the benchmark, its table and its JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import starmap
from typing import Any

from benchmarks.alternate import Measured


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        part: what is measured.
        unit: unit of `reference` and `ours`.
        reference: median rate of the reference, mostly the tutorial's code.
        ours: median rate of this project.
        ratio: `ours` divided by `reference`; larger is better.
        target: ratio to reach; None if there is none.
        processor_ratio: the same ratio by processor time.
        share_reference, share_ours: share of the machine's limit that is reached by processor time;
            only the operations that the work needs are counted.
        ceiling: name of that limit.
        peak_reference, peak_ours: peak memory in bytes; None if one process did both.
        note: remark shown below the table.
    """

    part: str
    unit: str
    reference: float
    ours: float
    ratio: float
    target: float | None = None
    processor_ratio: float | None = None
    share_reference: float | None = None
    share_ours: float | None = None
    ceiling: str = ""
    peak_reference: int | None = None
    peak_ours: int | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None if there is none."""
        return None if self.target is None else self.ratio >= self.target


def compare(
    part: str,
    unit: str,
    reference: Measured,
    ours: Measured,
    target: float | None = None,
    work: float = 0.0,
    ceiling: tuple[str, float] = ("", 0.0),
    note: str = "",
) -> Row:
    """Make the row that compares two sides.

    Args:
        part, unit, target, note: see `Row`.
        reference, ours: results of the two sides.
        work: operations that one unit needs.
        ceiling: name and value of the machine's limit, in operations per second of one core.
    """
    name, limit = ceiling
    # Only where operations are counted: a side that waits for the disk keeps no core busy.
    sides = {"reference": reference, "ours": ours} if limit else {}
    notes = [note, *starmap(_note_on_cores, sides.items())]
    return Row(
        part=part,
        unit=unit,
        reference=reference.rate,
        ours=ours.rate,
        ratio=ours.rate / reference.rate,
        target=target,
        processor_ratio=ours.processor_rate / reference.processor_rate,
        share_reference=reference.processor_rate * work / limit if limit else None,
        share_ours=ours.processor_rate * work / limit if limit else None,
        ceiling=name,
        peak_reference=reference.peak_bytes,
        peak_ours=ours.peak_bytes,
        note="; ".join(filter(None, notes)),
    )


def _note_on_cores(name: str, side: Measured) -> str:
    """A remark if the threads of a side shared one core in some of its runs only."""
    # Average number of busy cores: processor time divided by wall time.
    busy = [wall / cpu for wall, cpu in zip(side.rates, side.processor_rates, strict=True)]
    low, high = min(busy), max(busy)
    if high < 1.3 * low:
        return ""
    return (
        f"{name} used {low:.1f} to {high:.1f} cores, depending on the run: compare processor time"
    )


_HEADER = (
    "part",
    "unit",
    "reference",
    "ours",
    "ratio",
    "target",
    "by processor time",
    "share of limit",
    "peak memory, GB",
)


def table(rows: list[Row]) -> str:
    """All rows as a Markdown table, which is readable in a terminal too, and the notes below it."""
    lines = [_HEADER, tuple("---" for _ in _HEADER), *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    text = [
        "| "
        + " | ".join(_pad(cell, width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    notes = [f"{row.part}: {row.note}" for row in rows if row.note]
    return "\n".join([*text, "", *notes])


def _pad(cell: str, width: int) -> str:
    return "-" * width if cell == "---" else cell.ljust(width)


def _cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else f"{row.target:.3g}" + ("" if row.met else " (missed)")
    return (
        row.part,
        row.unit,
        f"{row.reference:,.4g}",
        f"{row.ours:,.4g}",
        f"{row.ratio:.3g}",
        target,
        "" if row.processor_ratio is None else f"{row.processor_ratio:.3g}",
        _pair(row.share_reference, row.share_ours, "{:.0%}")
        + (f" {row.ceiling}" * bool(row.ceiling)),
        _pair(row.peak_reference, row.peak_ours, "{:.1f}", 1e9),
    )


def _pair(reference: float | None, ours: float | None, form: str, unit: float = 1.0) -> str:
    if ours is None:
        return ""
    first = "–" if reference is None else form.format(reference / unit)
    return f"{first} → {form.format(ours / unit)}"


def as_json(rows: list[Row], machine: Mapping[str, Any], details: Mapping[str, Any]) -> Any:
    """Everything for the JSON file: rows, limits of the machine, and every side's single runs."""
    return {
        "machine": dict(machine),
        "rows": [asdict(row) | {"met": row.met} for row in rows],
        "details": dict(details),
    }
