"""Read captions from CSV, TSV and JSON Lines files, with their line numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Columns, Row, RowError, listed_captions

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NOT_UTF8 = "is not UTF-8: save the file in that encoding"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_delimited(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file with a header, quoted as in RFC 4180.

    The file is UTF-8, with or without a byte order mark. Lines end in LF or CRLF. Quoted fields may
    contain line ends. Blank lines are skipped. In a column `captions`, a cell can be a JSON list of
    captions.

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        problems: collects what is wrong with rows or the file.
    """
    location = Location(name, 1)
    with open(folder / name, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        delimiter = _DELIMITERS[Path(name).suffix.lower()]
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        columns, width = None, 0
        for location, cells in _records(reader, name, problems):
            try:
                _check_utf8(cells)
                if columns is None:
                    columns, width = _header(cells, delimiter), len(cells)
                    continue
                _check_width(cells, width, delimiter)
                values: list[Any] = list(cells)
                for column in columns.lists:
                    values[column] = listed_captions(cells[column])
                yield columns.row(location, values)
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


def _check_utf8(cells: list[str]) -> None:
    """Raise `RowError` if a cell contains bytes that are not UTF-8.

    Python's error handler `surrogateescape` turns them into the characters U+DC80 to U+DCFF.
    """
    for cell in cells:
        if not cell.isascii() and any("\udc80" <= sign <= "\udcff" for sign in cell):
            raise RowError(_NOT_UTF8)


def read_json_lines(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a JSON Lines file in UTF-8: one object per line; blank lines are skipped.

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        problems: collects what is wrong with rows or the file.
    """
    with open(folder / name, "rb") as file:
        for number, line in enumerate(file, start=1):
            location = Location(name, number)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield _json_row(location, text)
            except UnicodeDecodeError:
                problems.add(location, _NOT_UTF8)
            except RowError as error:
                problems.add(location, str(error))
            # In a UTF-16 file, every line would be a problem; one is enough.
            if number == 1 and line.startswith(_UTF16_MARKS):
                return


def _json_row(location: Location, text: str) -> Row:
    try:
        value = json.loads(text.strip())
    except json.JSONDecodeError as error:
        raise RowError(f"is not valid JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise RowError(f"is not valid JSON ({error})") from None
    if not isinstance(value, dict):
        raise RowError("is not a JSON object")
    return Columns.find(list(value)).row(location, list(value.values()))
