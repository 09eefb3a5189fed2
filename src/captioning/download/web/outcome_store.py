"""Keeps the outcome of every URL of an index (an image or a reason of failure) between runs.

A store is a folder in the cache with one subfolder per run: `0000`, `0001`, … For each block of
lines, a run contains the Parquet file that img2dataset wrote: one row per URL, with its status and,
if the URL was fetched, the image. img2dataset writes a file of counts after it; a Parquet file
without these counts is incomplete, because the run was killed. Later runs fetch what is missing and
retry what failed; they never change the files of earlier runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from captioning.core.opening import opening
from captioning.download.web.shard_fetcher import IMAGE_COLUMN, result_path, stats_path

NO_OUTCOME = "no outcome recorded"


class Line(NamedTuple):
    """One line of an index.

    Attributes:
        number: line number in the file, from 1.
        url: URL of the image.
        caption: caption of the image, as the index has it.
        split: split that the image belongs to.
    """

    number: int
    url: str
    caption: str
    split: str


@dataclass(frozen=True)
class Block:
    """A group of neighboring lines of an index, which are fetched as one shard.

    Attributes:
        number: number of the block; a line belongs to the same block in every run.
        lines: the selected lines of the block, in the order of the index.
    """

    number: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Outcome:
    """The outcome of fetching one URL.

    Attributes:
        failure: why there is no image, as `reason` or `reason: detail`; None if there is one.
        image: bytes of the image file, if they were asked for.
        sha256: SHA-256 of the bytes that the server sent, in hexadecimal.
    """

    failure: str | None
    image: bytes | None = None
    sha256: str | None = None

    @property
    def reason(self) -> str | None:
        """The failure without its detail."""
        return None if self.failure is None else reason_of(self.failure)

    @property
    def detail(self) -> str:
        """What follows the reason of the failure; may be empty."""
        return (self.failure or "").partition(": ")[2]


def reason_of(failure: str) -> str:
    """The part of a failure before its detail, which is the same for many URLs."""
    return failure.partition(": ")[0]


class OutcomeStore:
    """The outcomes of all URLs of one index.

    Attributes:
        folder: folder that contains the runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def runs(self) -> list[Path]:
        """The folders of all runs, oldest first."""
        return sorted(path for path in self.folder.glob("[0-9]*") if path.is_dir())

    def next_run(self) -> Path:
        """The folder for a new run; it is not created yet."""
        numbers = [int(run.name) for run in self.runs()]
        return self.folder / f"{max(numbers, default=-1) + 1:04d}"

    def outcomes(self, block: Block, images: bool = True) -> Mapping[int, Outcome]:
        """The outcomes of a block, by line number; lines without an outcome are absent.

        A success is never replaced by the outcome of a later run.

        Args:
            block: the block to look up.
            images: whether to read the images too.
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
        """The lines of a block that must be fetched.

        Args:
            block: the block to look up.
            retry: whether to include the lines that failed in earlier runs.
        """
        known = self.outcomes(block, images=False)
        return [
            line
            for line in block.lines
            if (outcome := known.get(line.number)) is None
            or (retry and outcome.failure is not None)
        ]

    def counts(self, blocks: Iterable[Block]) -> dict[str | None, int]:
        """Number of lines by reason of failure; None counts the images."""
        counts: dict[str | None, int] = {}
        for block in blocks:
            known = self.outcomes(block, images=False)
            for line in block.lines:
                reason = known.get(line.number, Outcome(NO_OUTCOME)).reason
                counts[reason] = counts.get(reason, 0) + 1
        return counts


def _read(run: Path, block: int, images: bool) -> Iterator[tuple[int, Outcome]]:
    """Yield the rows of a run's file for a block, in any order; none if it is incomplete."""
    path, stats = result_path(run, block), stats_path(run, block)
    if not stats.exists():
        return
    columns = ["line", "status", "error_message", "sha256", *([IMAGE_COLUMN] if images else [])]
    # Without the counts, it is incomplete.
    advice = f"delete {stats} and run `dvc repro download`, which fetches its images again"
    with opening(path, advice), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                yield row["line"], _outcome(row)


def _outcome(row: dict[str, Any]) -> Outcome:
    if row["status"] != "success":
        return Outcome(row["error_message"] or NO_OUTCOME)
    return Outcome(None, row.get(IMAGE_COLUMN), row["sha256"])
