"""What became of every URL of an index, kept in a cache between runs.

A store is a folder of runs, `0000`, `0001`, …; each holds, for some blocks of lines, the Parquet
file that img2dataset wrote: a row a URL, with its status and, where it was fetched, the picture. A
file without the figures that are written after it is not whole: what a killed run left. Later runs
fetch what earlier ones have not, or have tried in vain; they change nothing that is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from captioning.download.web.fetcher import IMAGE_COLUMN, result_path, stats_path

NO_OUTCOME = "no outcome recorded"


class Line(NamedTuple):
    """One line of an index.

    Attributes:
        number: of the line in its file, from 1.
        url: of the picture.
        caption: as it stands there.
        split: that it belongs to.
    """

    number: int
    url: str
    caption: str
    split: str


@dataclass(frozen=True)
class Block:
    """Neighbouring lines: those wanted among `lines` of one index.

    Attributes:
        number: the shard of img2dataset's that they are; a line's block never changes.
        lines: in the order of the index.
    """

    number: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one URL.

    Attributes:
        failure: None, or why there is no picture: `reason` or `reason: detail`.
        image: the picture's file, where it was asked for.
        sha256: of what was fetched, in hexadecimal.
    """

    failure: str | None
    image: bytes | None = None
    sha256: str | None = None

    @property
    def reason(self) -> str | None:
        """The failure without its detail."""
        return None if self.failure is None else reason_of(self.failure)


def reason_of(failure: str) -> str:
    """The part of a failure that many have in common."""
    return failure.partition(": ")[0]


class OutcomeStore:
    """The outcomes of one index's URLs.

    Attributes:
        folder: of the runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def runs(self) -> list[Path]:
        """The folders of all runs, oldest first."""
        return sorted(path for path in self.folder.glob("[0-9]*") if path.is_dir())

    def next_run(self) -> Path:
        """A folder for a new run; it is not made yet."""
        numbers = [int(run.name) for run in self.runs()]
        return self.folder / f"{max(numbers, default=-1) + 1:04d}"

    def outcomes(self, block: Block, images: bool = True) -> Mapping[int, Outcome]:
        """What is known of a block's lines, by line number; what is not known is not there.

        Args:
            block: a block.
            images: read the pictures too.
        """
        wanted = {line.number for line in block.lines}
        known: dict[int, Outcome] = {}
        for run in self.runs():
            for number, outcome in _read(run, block.number, images):
                before = known.get(number)
                if number in wanted and (before is None or before.failure is not None):
                    known[number] = outcome
        return known

    def missing(self, block: Block, retry: bool) -> list[Line]:
        """The lines of a block to be fetched: not tried yet, or, with `retry`, tried in vain."""
        known = self.outcomes(block, images=False)
        return [
            line
            for line in block.lines
            if (outcome := known.get(line.number)) is None
            or (retry and outcome.failure is not None)
        ]

    def counts(self, blocks: Iterable[Block]) -> dict[str | None, int]:
        """How many lines there are by reason of failure; None counts the pictures."""
        counts: dict[str | None, int] = {}
        for block in blocks:
            known = self.outcomes(block, images=False)
            for line in block.lines:
                reason = known.get(line.number, Outcome(NO_OUTCOME)).reason
                counts[reason] = counts.get(reason, 0) + 1
        return counts


def _read(run: Path, block: int, images: bool) -> Iterator[tuple[int, Outcome]]:
    """The rows of one file, if there is one and it is whole, in no particular order."""
    path = result_path(run, block)
    if not stats_path(run, block).exists():
        return
    columns = ["line", "status", "error_message", "sha256", *([IMAGE_COLUMN] if images else [])]
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                yield row["line"], _outcome(row)


def _outcome(row: dict[str, Any]) -> Outcome:
    if row["status"] != "success":
        return Outcome(row["error_message"] or NO_OUTCOME)
    return Outcome(None, row.get(IMAGE_COLUMN), row["sha256"])
