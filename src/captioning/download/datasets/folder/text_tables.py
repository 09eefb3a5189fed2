"""Read captions from CSV and TSV files, with their line numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.quoting import is_quoted, swallowed_row
from captioning.download.datasets.folder.rows import Columns, Row, RowError

NOT_UTF8 = "is not UTF-8: save the file in that encoding"


def read_delimited(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file with a header.

    The file is UTF-8, with or without a byte order mark. Lines end in LF or CRLF. Blank lines are
    skipped. The columns are separated by tabs if the name ends in `.tsv`, or if the header has a
    tab but no comma. Fields separated by commas are quoted as in RFC 4180, and quoted fields may
    contain line ends. Fields separated by tabs are quoted only if `is_quoted` says so of the whole
    file; else quotes are part of the text.

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        problems: collects what is wrong with rows or the file.
    """
    location = Location(name, 1)
    with open(folder / name, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        delimiter = _delimiter(name, next((line for line in file if line.strip()), ""))
        file.seek(0)
        plain = delimiter == "\t" and not is_quoted(file, delimiter)
        file.seek(0)
        reader = csv.reader(
            file,
            delimiter=delimiter,
            quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL,
            strict=True,
        )
        columns, width = None, 0
        for location, cells in _records(reader, name, problems):
            try:
                _check_utf8(cells)
                if columns is None:
                    columns, width = _header(cells, delimiter), len(cells)
                    continue
                _check_width(cells, width, delimiter)
                _check_swallowed(cells, delimiter, reader.line_num)
                yield columns.row(location, cells)
            except RowError as error:
                problems.add(location, str(error))
                if columns is None:
                    return
        if columns is None:
            problems.add(Location(name), "has no header line")


def _records(reader: Any, name: str, problems: Problems) -> Iterator[tuple[Location, list[str]]]:
    """Yield the records that are not blank, each with the location of its first line."""
    while True:
        location = Location(name, reader.line_num + 1)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.add(
                location,
                f"malformed from here to line {reader.line_num} ({error}): put a field that "
                "contains double quotes in double quotes, and double the quotes inside",
            )
            continue
        if cells:
            yield location, cells


def _delimiter(name: str, header: str) -> str:
    """The sign between the columns of a table with this name and first line."""
    if Path(name).suffix.lower() == ".tsv" or ("\t" in header and "," not in header):
        return "\t"
    return ","


def _header(cells: list[str], delimiter: str) -> Columns:
    """The columns of a header; if it seems to use another delimiter, the error says so."""
    try:
        return Columns.find(cells)
    except RowError as error:
        other = next((sign for sign in ";,\t" if sign != delimiter and sign in cells[0]), None)
        if len(cells) == 1 and other:
            raise RowError(
                f"{error}: separate the columns by {delimiter!r}, not by {other!r}"
            ) from None
        raise


def _check_width(cells: list[str], width: int, delimiter: str) -> None:
    """Raise `RowError` if a row has not as many fields as the header."""
    if len(cells) < width:
        raise RowError(f"only {len(cells)} of {width} fields")
    if len(cells) > width:
        advice = f"put a field that contains {delimiter!r} in double quotes"
        raise RowError(f"{len(cells)} fields instead of {width}: {advice}")


def _check_swallowed(cells: list[str], delimiter: str, last_line: int) -> None:
    """Raise `RowError` if a quoted field contains the beginning of another row."""
    for cell in cells:
        if "\n" in cell and (image := swallowed_row(cell, delimiter)):
            raise RowError(
                f"a quoted field reaches to line {last_line} and contains the row of {image!r}: "
                "put fields with double quotes in double quotes, and double the quotes inside"
            )


def _check_utf8(cells: list[str]) -> None:
    """Raise `RowError` if a cell contains bytes that are not UTF-8.

    Python's error handler `surrogateescape` turns them into the characters U+DC80 to U+DCFF.
    """
    for cell in cells:
        if not cell.isascii() and any("\udc80" <= sign <= "\udcff" for sign in cell):
            raise RowError(NOT_UTF8)
