"""Reading CSV, TSV and JSON Lines with the numbers of their lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from captioning.download.datasets.folder.problems import Place, Problems
from captioning.download.datasets.folder.rows import Columns, Row, RowError, listed_captions

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NOT_UTF8 = "is not UTF-8: save the file in that encoding"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_delimited(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Read a CSV or TSV file with a header, quoted as RFC 4180 has it.

    UTF-8, with or without a byte order mark; lines end in LF or CRLF; quoted fields may hold line
    ends. Blank lines are skipped. A cell of a column `captions` may be a JSON list of captions.
    """
    place = Place(name, 1)
    with open(folder / name, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        delimiter = _DELIMITERS[Path(name).suffix.lower()]
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        columns, width = None, 0
        for place, cells in _records(reader, name, problems):
            try:
                _check_utf8(cells)
                if columns is None:
                    columns, width = _header(cells, delimiter), len(cells)
                    continue
                _check_width(cells, width, delimiter)
                values: list[Any] = list(cells)
                for column in columns.lists:
                    values[column] = listed_captions(cells[column])
                yield columns.row(place, values)
            except RowError as error:
                problems.add(place, str(error))
                if columns is None:
                    return
        if columns is None:
            problems.add(Place(name), "has no header")


def _records(reader: Any, name: str, problems: Problems) -> Iterator[tuple[Place, list[str]]]:
    """The records that are not blank, each with the place where it begins."""
    while True:
        place = Place(name, reader.line_num + 1)
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.add(
                place,
                f"malformed from here to line {reader.line_num} ({error}): a field with double "
                "quotes stands in double quotes, its own doubled",
            )
            continue
        if cells:
            yield place, cells


def _header(cells: list[str], delimiter: str) -> Columns:
    """The columns; a header of one name that holds another separator is told as such."""
    try:
        return Columns.find(cells)
    except RowError as error:
        other = next((sign for sign in ";,\t" if sign != delimiter and sign in cells[0]), None)
        if len(cells) == 1 and other:
            raise RowError(f"{error}: separate them by {delimiter!r}, not {other!r}") from None
        raise


def _check_width(cells: list[str], width: int, delimiter: str) -> None:
    """Refuse a row that is shorter or longer than the header."""
    if len(cells) < width:
        raise RowError(f"only {len(cells)} of {width} fields")
    if len(cells) > width:
        quotes = f"a field that holds {delimiter!r} stands in double quotes"
        raise RowError(f"{len(cells)} fields instead of {width}: {quotes}")


def _check_utf8(cells: list[str]) -> None:
    """Refuse what `surrogateescape` has let through."""
    for cell in cells:
        if not cell.isascii() and any("\udc80" <= sign <= "\udcff" for sign in cell):
            raise RowError(_NOT_UTF8)


def read_json_lines(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Read a JSON Lines file: an object a line, in UTF-8. Blank lines are skipped."""
    with open(folder / name, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield _json_row(Place(name, number), text)
            except UnicodeDecodeError:
                problems.add(Place(name, number), _NOT_UTF8)
            except RowError as error:
                problems.add(Place(name, number), str(error))
            if number == 1 and line.startswith(_UTF16):
                return


def _json_row(place: Place, text: str) -> Row:
    try:
        value = json.loads(text.strip())
    except json.JSONDecodeError as error:
        raise RowError(f"is no JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise RowError(f"is no JSON ({error})") from None
    if not isinstance(value, dict):
        raise RowError("is no JSON object")
    return Columns.find(list(value)).row(place, list(value.values()))
