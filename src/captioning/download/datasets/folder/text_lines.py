"""Read text files line by line, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from captioning.download.datasets.folder.files import FolderFiles
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.text_tables import NOT_UTF8

_MAX_HEADER_BYTES = 1 << 16


def first_line(files: FolderFiles, name: str) -> str:
    """The first line of a file, without its line end; an empty text if it cannot be read."""
    try:
        with open(files.root / name, "rb") as file:
            line = file.readline(_MAX_HEADER_BYTES).decode("utf-8-sig", "replace")
            return line.partition("\r")[0].strip()
    except OSError:
        return ""


def text_lines(folder: Path, name: str, problems: Problems) -> Iterator[tuple[Location, str]]:
    """Yield the lines of a text file, without their line ends (LF or CRLF).

    Args:
        folder: the dataset's folder.
        name: name of the file, relative to `folder`.
        problems: collects the lines that are not UTF-8.
    """
    with open(folder / name, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                problems.add(Location(name, number), NOT_UTF8)
                continue
            yield Location(name, number), text.rstrip("\r\n")
