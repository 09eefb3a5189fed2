"""What is wrong with a folder, collected over all of it and told in one report."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from captioning.core.errors import InputError
from captioning.core.files import SCRATCH, atomic_path

SHOWN = 50
FULL_LIST = SCRATCH / "folder-problems.txt"


class Place(NamedTuple):
    """Where something stands.

    Attributes:
        file: relative to the folder.
        line: from 1; of a record over several lines the first; of Parquet the row. 0: the file.
    """

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Problems:
    """Collects what has to be mended before the folder can be used."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, str]] = []

    def add(self, place: Place, what: str) -> None:
        """Note what is wrong at a place."""
        self._found.append((place, what))

    def raise_any(self, folder: Path) -> None:
        """End here if anything was noted.

        Raises:
            InputError: it lists the problems by file and line, the first `SHOWN` of them; where
                there are more, it names `FULL_LIST`, which then has them all.
        """
        if not self._found:
            return
        lines = [f"  {place}: {what}" for place, what in sorted(self._found)]
        heading = f"{folder} has {len(lines)} problem{'s'[: len(lines) > 1]}:"
        if len(lines) > SHOWN:
            with atomic_path(FULL_LIST) as temporary:
                temporary.write_text("\n".join([heading, *lines, ""]), encoding="utf-8")
            more = len(lines) - SHOWN
            lines[SHOWN:] = [f"  and {more} more: {FULL_LIST} lists them all"]
        raise InputError("\n".join([heading, *lines]))
