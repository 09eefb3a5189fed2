"""What a form of captions consists of: its name, the files that have it, and their reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from captioning.download.datasets.folder.files import FolderFiles
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Row

#: Yields the rows of one caption file, given the folder's files and the name of this file.
Reader = Callable[[FolderFiles, str, Problems], Iterator[Row]]


@dataclass(frozen=True)
class Form:
    """Captions in one form.

    Attributes:
        name: name of the form, for the output.
        sources: names of the caption files, sorted.
        reader: reads one of them.
        unmatched_texts: names of `.txt` files that belong to no image, if captions are in `.txt`
            files.
    """

    name: str
    sources: tuple[str, ...]
    reader: Reader
    unmatched_texts: tuple[str, ...] = ()

    def rows(self, files: FolderFiles, problems: Problems) -> Iterator[Row]:
        """Read the rows of all caption files.

        Args:
            files: the folder's files.
            problems: collects what is wrong with rows or files.
        """
        for name in self.sources:
            try:
                yield from self.reader(files, name, problems)
            except OSError as error:
                problems.add(Location(name), f"cannot be read ({error.strerror or error})")


def enumerated(names: list[str] | tuple[str, ...]) -> str:
    """The first five names, separated by commas."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown}, … ({len(names)} files)"
