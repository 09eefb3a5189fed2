"""The benchmark's rows, its table and its JSON."""

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
        unit: of `reference` and `ours`.
        reference, ours: medians.
        ratio: ours to the reference, the larger the better.
        processor_ratio: the same, a second of processor time.
        target: what the ratio should reach; None where there is none.
        share_reference, share_ours: of the machine's ceiling, the work counted as what is needed,
            by processor time.
        ceiling: what that ceiling is.
        peak_reference, peak_ours: bytes of memory; None where one process did both.
        note: in words.
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
        """Whether the target is reached."""
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
    """The row of two sides.

    Args:
        part, unit, target, note: as in `Row`.
        reference, ours: the sides.
        work: operations or bytes that one unit needs.
        ceiling: name and value, in the same a second of one core.
    """
    name, limit = ceiling
    # Only where products are counted: what waits for the disk keeps no core steadily busy.
    sides = {"reference": reference, "ours": ours} if limit else {}
    notes = [note, *starmap(_uneven, sides.items())]
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


def _uneven(name: str, side: Measured) -> str:
    """What to say of a side whose threads shared one core in some runs and not in others."""
    # Units a second over units a second of processor time.
    cores = [rate / busy for rate, busy in zip(side.rates, side.processor_rates, strict=True)]
    low, high = min(cores), max(cores)
    if high < 1.3 * low:
        return ""
    return f"{name} had {low:.1f} to {high:.1f} cores from run to run: compare by processor time"


_HEADER = (
    "part",
    "unit",
    "reference",
    "ours",
    "ratio",
    "target",
    "by processor time",
    "of ceiling",
    "peak memory, GB",
)


def table(rows: list[Row]) -> str:
    """All rows as Markdown, which reads well in a terminal too."""
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
    """All there is to keep: rows, ceilings, and the single runs and facts of every side."""
    return {
        "machine": dict(machine),
        "rows": [asdict(row) | {"met": row.met} for row in rows],
        "details": dict(details),
    }
