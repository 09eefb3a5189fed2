"""Collects what a dataset leaves out: counts and names, and a table if there are many names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captioning.download.closing import Closing
from captioning.download.names import is_unicode

#: Number of names listed for each reason. Metrics are read by people and stored in Git.
MAX_LISTED_NAMES = 100
_ROWS_IN_MEMORY = 1 << 16
_SCHEMA = pa.schema([("reason", pa.string()), ("name", pa.string())])


class Rejections(Closing):
    """Counts what is left out, by reason, and lists the first names for each reason.

    Used as a context manager with a path, it also writes a Parquet table of all names, in the order
    in which they were added, if a reason has more than `MAX_LISTED_NAMES` of them.

    Args:
        table: path of the table; None keeps the counts and the listed names only.
    """

    def __init__(self, table: Path | None = None) -> None:
        self._counts: Counter[str] = Counter()
        self._listed: dict[str, list[str]] = {}
        self._rows: list[dict[str, str]] = []
        self._table = table
        self._writer: pq.ParquetWriter | None = None

    def add(self, reason: str, name: str) -> None:
        """Record that something is left out.

        Args:
            reason: reason under which it is counted.
            name: name of the image, caption or line that is left out; escaped if it is not valid
                Unicode, as file names may be.
        """
        name = name if is_unicode(name) else ascii(name)
        self._counts[reason] += 1
        if self._counts[reason] <= MAX_LISTED_NAMES:
            self._listed.setdefault(reason, []).append(name)
        if self._table is not None:
            self._rows.append({"reason": reason, "name": name})
            if len(self._rows) >= _ROWS_IN_MEMORY:
                self._flush()

    def counts(self) -> dict[str, int]:
        """Number of names by reason."""
        return dict(sorted(self._counts.items()))

    def listed_names(self) -> dict[str, list[str]]:
        """The first `MAX_LISTED_NAMES` names for each reason, in the order of their addition."""
        return {reason: list(names) for reason, names in sorted(self._listed.items())}

    def close(self, complete: bool = True) -> None:
        """Close the table; delete it if it is not needed or not complete."""
        needed = any(count > MAX_LISTED_NAMES for count in self._counts.values())
        if self._table is not None and needed and complete:
            self._flush()
        if self._writer is not None:
            self._writer.close()
            if self._table is not None and not (needed and complete):
                self._table.unlink()

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._table, _SCHEMA, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._rows, _SCHEMA))
        self._rows.clear()
