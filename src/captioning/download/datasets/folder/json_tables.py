"""Read captions from JSON Lines files and JSON arrays, with their line numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Columns, Row, RowError
from captioning.download.datasets.folder.text_tables import NOT_UTF8

MAX_JSON_BYTES = 1 << 30
_HEAD_BYTES = 1 << 12
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SPACE_AND_COMMAS = re.compile(r"[\s,]*")


def is_json_array(path: Path) -> bool:
    """Whether a file begins like a JSON array of objects: `[{`, with any white space."""
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").split()
    return b"".join(head).startswith(b"[{")


def read_json_lines(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a JSON Lines file in UTF-8: one object per line; blank lines are skipped.

    A JSON array of such objects is read as well; then a row's line is that on which it begins.

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        problems: collects what is wrong with rows or the file.
    """
    if is_json_array(folder / name):
        yield from read_json_array(folder, name, problems)
        return
    with open(folder / name, "rb") as file:
        for number, line in enumerate(file, start=1):
            location = Location(name, number)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield _row_of_line(location, text)
            except UnicodeDecodeError:
                problems.add(location, NOT_UTF8)
            except RowError as error:
                problems.add(location, str(error))
            # In a UTF-16 file, every line would be a problem; one is enough.
            if number == 1 and line.startswith(_UTF16_MARKS):
                return


def read_json_array(folder: Path, name: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a file in UTF-8 that contains a JSON array of objects.

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        problems: collects what is wrong with rows or the file.
    """
    try:
        text = read_json_text(folder / name)
    except RowError as error:
        problems.add(Location(name), str(error))
        return
    for line, value in array_items(text, name, problems):
        try:
            yield json_row(Location(name, line), value)
        except RowError as error:
            problems.add(Location(name, line), str(error))


def json_row(location: Location, value: Any) -> Row:
    """The row that a JSON object contains.

    Raises:
        RowError: it is not an object, or lacks a key, or a value has the wrong type.
    """
    if not isinstance(value, dict):
        raise RowError("is not a JSON object")
    return Columns.find(list(value)).row(location, list(value.values()))


def read_json_text(path: Path) -> str:
    """The text of a JSON file.

    Raises:
        RowError: it is not UTF-8, or larger than `MAX_JSON_BYTES`.
    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise RowError(f"is larger than the limit of {MAX_JSON_BYTES:,} bytes: use JSON Lines")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RowError(NOT_UTF8) from None


def array_items(text: str, name: str, problems: Problems) -> Iterator[tuple[int, Any]]:
    """Yield the items of a JSON array one by one, each with the line on which it begins.

    Args:
        text: the array.
        name: name of the file in problems.
        problems: collects where the array is damaged; the rest of it is then left out.
    """
    decode = json.JSONDecoder().raw_decode
    end = text.index("[") + 1
    line, counted = 1, 0
    while True:
        start = _after_space(text, end)
        line, counted = line + text.count("\n", counted, start), start
        if text.startswith("]", start):
            if text[start + 1 :].strip():
                problems.add(Location(name, line), "has more text after the end of its array")
            return
        try:
            value, end = decode(text, start)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            problems.add(Location(name, line), f"the JSON array is damaged or cut off ({reason})")
            return
        yield line, value


def _after_space(text: str, start: int) -> int:
    """The position of the next sign that is neither white space nor a comma."""
    match = _SPACE_AND_COMMAS.match(text, start)
    return match.end() if match else start


def _row_of_line(location: Location, text: str) -> Row:
    try:
        value = json.loads(text.strip())
    except json.JSONDecodeError as error:
        raise RowError(f"is not valid JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise RowError(f"is not valid JSON ({error})") from None
    return json_row(location, value)
