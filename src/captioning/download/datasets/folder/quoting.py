"""Find out how the double quotes of a text table are meant."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from captioning.data.images.decode import IMAGE_SUFFIXES


def is_quoted(lines: Iterable[str], delimiter: str) -> bool:
    """Whether quotes in a table are consistently those of RFC 4180, rather than text.

    They are, if a column has all of its values in quotes, or only those that need them because they
    contain the delimiter, a quote, a line end or surrounding white space. No quoted value may span
    lines and contain another row.

    Args:
        lines: the table's lines, with their line ends.
        delimiter: the sign between columns.
    """
    raw: list[str] = []
    reader = csv.reader(_recorded(lines, raw), delimiter=delimiter, strict=True)
    always: list[bool] = []
    never: list[bool] = []
    try:
        for number, cells in enumerate(reader):
            quoted = _quoted_cells("".join(raw).rstrip("\r\n"), cells, delimiter)
            raw.clear()
            if quoted is None or any(swallowed_row(cell, delimiter) for cell in cells):
                return False
            if number == 0:
                always, never = [True] * len(cells), [True] * len(cells)
                continue
            for column, cell in enumerate(cells[: len(always)]):
                always[column] &= quoted[column]
                never[column] &= not quoted[column] or _needs_quotes(cell, delimiter)
    except csv.Error:
        return False
    return all(all_ or none for all_, none in zip(always, never, strict=True))


def swallowed_row(cell: str, delimiter: str) -> str | None:
    """The image of a row that a value with line ends contains, because of an unpaired quote.

    >>> swallowed_row("to be\\n05.jpg,or not to be", ",")
    '05.jpg'
    """
    for line in cell.splitlines()[1:]:
        parts = line.split(delimiter)
        for part in parts if len(parts) > 1 else ():
            name = part.strip().strip('"')
            if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES and "://" not in name:
                return name
    return None


def _recorded(lines: Iterable[str], raw: list[str]) -> Iterator[str]:
    """Yield lines, and add them to `raw`."""
    for line in lines:
        raw.append(line)
        yield line


def _quoted_cells(raw: str, cells: Sequence[str], delimiter: str) -> list[bool] | None:
    """Whether each cell of a record is in quotes; None if there are quotes in other places."""
    if '"' not in raw:
        return [False] * len(cells)
    quoted = []
    for cell in cells:
        written = '"' + cell.replace('"', '""') + '"'
        if raw.startswith(written):
            quoted.append(True)
        elif '"' not in cell and raw.startswith(cell):
            quoted.append(False)
            written = cell
        else:
            return None
        raw = raw[len(written) :].removeprefix(delimiter)
    return quoted


def _needs_quotes(cell: str, delimiter: str) -> bool:
    return any(sign in cell for sign in (delimiter, '"', "\n", "\r")) or cell != cell.strip()
