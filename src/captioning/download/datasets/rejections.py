"""What a dataset leaves out, and why: figures for people, and a table where there is too much."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captioning.download.closing import Closing

# Names listed of each reason: metrics are for reading, and lie in Git.
LISTED = 100
_ROWS = 1 << 16
_SCHEMA = pa.schema([("reason", pa.string()), ("name", pa.string())])


class Rejections(Closing):
    """Counts what is skipped, by reason, and lists the first `LISTED` names of each.

    As a context manager with a path, it also leaves all of them there, as a Parquet table in the
    order met, if they are more than are listed.

    Args:
        table: path of that table; None keeps no more than is listed.
    """

    def __init__(self, table: Path | None = None) -> None:
        self._counts: Counter[str] = Counter()
        self._listed: dict[str, list[str]] = {}
        self._rows: list[dict[str, str]] = []
        self._table = table
        self._writer: pq.ParquetWriter | None = None

    def add(self, reason: str, what: str) -> None:
        """Note that `what` (an image's name, a line) is skipped for `reason`."""
        self._counts[reason] += 1
        if self._counts[reason] <= LISTED:
            self._listed.setdefault(reason, []).append(what)
        if self._table is not None:
            self._rows.append({"reason": reason, "name": what})
            if len(self._rows) >= _ROWS:
                self._flush()

    def counts(self) -> dict[str, int]:
        """How many are skipped, by reason."""
        return dict(sorted(self._counts.items()))

    def items(self) -> dict[str, list[str]]:
        """What is skipped, by reason, in the order met: the first `LISTED` of each."""
        return {reason: list(names) for reason, names in sorted(self._listed.items())}

    def close(self, complete: bool = True) -> None:
        """Close the table; it is kept only where it is needed and whole."""
        more = any(count > LISTED for count in self._counts.values())
        if self._table is not None and more and complete:
            self._flush()
        if self._writer is not None:
            self._writer.close()
            if self._table is not None and not (more and complete):
                self._table.unlink()

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._table, _SCHEMA, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._rows, _SCHEMA))
        self._rows.clear()
