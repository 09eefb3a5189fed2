"""Small tables of text, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Cells of text; every row is as long as the header.

    Attributes:
        title: what the table shows.
        header: names of the columns.
        rows: their cells.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """The title, then aligned columns."""
        lines = [list(self.header), *map(list, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *(f"  {line}".rstrip() for line in aligned)])

    def markdown(self) -> str:
        """The title as a heading, then a pipe table."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        table = ["| " + " | ".join(map(escaped, line)) + " |" for line in lines]
        return "\n".join([f"### {escaped(self.title)}", "", *table])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    text = " ".join(text.split())
    for sign in "\\|`*_<>[]":
        text = text.replace(sign, f"\\{sign}")
    return text
