"""Collect everything that is wrong with a folder, and report it at once."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from captioning.core.errors import InputError
from captioning.core.files import SCRATCH, atomic_path

#: Number of problems that the error message lists.
MAX_SHOWN = 50
#: File with all problems, written if there are more than `MAX_SHOWN`.
FULL_LIST = SCRATCH / "folder-problems.txt"


class Location(NamedTuple):
    """A line of a file.

    Attributes:
        file: name of the file, relative to the folder.
        line: line number, from 1; for a record that spans several lines, the first of them; for a
            Parquet file, the row. 0 means the whole file.
        part: what else names the place in the file, such as `annotations[3]`.
    """

    file: str
    line: int = 0
    part: str = ""

    def __str__(self) -> str:
        if self.part:
            return f"{self.file}: {self.part}"
        return f"{self.file}:{self.line}" if self.line else self.file


class Problems:
    """Collects the problems that the user has to fix before the folder can be used."""

    def __init__(self) -> None:
        self._found: list[tuple[Location, str]] = []

    def add(self, location: Location, description: str) -> None:
        """Add a problem.

        Args:
            location: where it is.
            description: what is wrong.
        """
        self._found.append((location, description))

    def raise_any(self, folder: Path) -> None:
        """Raise an error if any problem was added.

        Args:
            folder: the folder, for the message.

        Raises:
            InputError: the message lists the problems by file and line. If there are more than
                `MAX_SHOWN`, it names the file `FULL_LIST`, which lists all of them.
        """
        if not self._found:
            return
        lines = [f"  {location}: {description}" for location, description in sorted(self._found)]
        heading = f"{folder} has {len(lines)} problem{'s'[: len(lines) > 1]}:"
        if len(lines) > MAX_SHOWN:
            with atomic_path(FULL_LIST) as temporary:
                temporary.write_text("\n".join([heading, *lines, ""]), encoding="utf-8")
            more = len(lines) - MAX_SHOWN
            lines[MAX_SHOWN:] = [f"  and {more} more: {FULL_LIST} lists them all"]
        raise InputError("\n".join([heading, *lines]))
