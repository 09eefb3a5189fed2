"""Caption pictures into a file; an interrupted run is resumed where it stopped."""

from __future__ import annotations

import errno
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from captioning.batch.formats import Rows, write_file
from captioning.batch.parts import Parts, files_checksum
from captioning.batch.pictures import Picture, PictureList
from captioning.batch.progress import Progress
from captioning.core.errors import InputError
from captioning.core.files import atomic_path

if TYPE_CHECKING:
    from captioning.batch.running import PictureCaptioner

# A part takes some seconds, which is what a kill costs at most.
_PART_PICTURES = 1024
_PRINTED_FAILURES = 20
_RESUME = "run the same command again to resume"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class CaptionParts(Protocol):
    """Captions parts, on this machine or on a cluster."""

    def __call__(
        self, parts: Iterable[list[Picture]], seen: Callable[[Rows], None]
    ) -> Generator[tuple[Rows, str], None, None]:
        """Yield the rows of each part, in any order of the parts, and their `files_checksum`.

        Args:
            parts: the pictures of each part.
            seen: called with rows as soon as they are known.
        """
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of the pictures of a run.

    Attributes:
        pictures: number of all pictures.
        failed: number of those that could not be captioned.
    """

    pictures: int
    failed: int


def part_pictures(captioner: PictureCaptioner) -> int:
    """Number of pictures in a part: whole batches of the backbone and of the search."""
    whole = math.lcm(captioner.search_pictures, captioner.extraction_pictures)
    return whole * max(round(_PART_PICTURES / whole), 1)


class PartsHere:
    """Captions parts on this machine, without a pause between them; see `CaptionParts`.

    Args:
        captioner: captions their pictures.
        number: captions for each picture.
    """

    def __init__(self, captioner: PictureCaptioner, number: int) -> None:
        self._captioner, self._number = captioner, number

    def __call__(
        self, parts: Iterable[list[Picture]], seen: Callable[[Rows], None]
    ) -> Generator[tuple[Rows, str], None, None]:
        """See `CaptionParts`."""
        begun: deque[tuple[int, str]] = deque()

        def pictures() -> Iterator[Picture]:
            for part in parts:
                begun.append((len(part), files_checksum(part)))
                yield from part

        rows: Rows = []
        with closing(self._captioner.rows(pictures())) as captioned:
            for row in captioned:
                rows.append(row.columns(self._number))
                seen(rows[-1:])
                if len(rows) == begun[0][0]:
                    yield rows, begun.popleft()[1]
                    rows = []


def caption_to_file(
    output: Path, pictures: PictureList, parts: Parts, number: int, caption_parts: CaptionParts
) -> Outcome:
    """Caption all pictures and write the file, which appears whole; then remove the parts.

    Args:
        output: the file; its suffix chooses the format, see `formats`.
        pictures: all pictures of the run.
        parts: what is finished already.
        number: captions for each picture.
        caption_parts: captions the others.

    Raises:
        InputError: a file cannot be written, or the cluster failed. What is finished is kept.
    """
    with _explained(output):
        finished = parts.finished(pictures)
        done = sum(parts.size(part, pictures.number) for part in finished)
        progress = Progress(pictures.number, done)
        with closing(progress):
            if done:
                progress.say(f"resuming: {done:,} of {pictures.number:,} pictures are done")
            elif parts.has_others:
                progress.say(
                    f"note: {output}.partial has parts of a run with another model, other settings "
                    "or other pictures; they are not used"
                )
            seen = _Seen(progress)
            missing = parts.missing(pictures, finished)
            with closing(caption_parts(missing, seen)) as written:
                for rows, files in written:
                    parts.write(rows, files)
        counted = _Counted(parts.rows())
        with atomic_path(output) as temporary:
            write_file(temporary, counted, number)
        parts.remove()
    return Outcome(pictures.number, counted.failed)


class _Seen:
    """Advances the progress and prints the first failures; all are in the file."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._failures = progress, 0

    def __call__(self, rows: Rows) -> None:
        self._progress.advance(len(rows))
        for row in rows:
            if row["error"]:
                self._failures += 1
                if self._failures <= _PRINTED_FAILURES:
                    self._progress.say(f"error: {row['error']}")
                elif self._failures == _PRINTED_FAILURES + 1:
                    self._progress.say("error: … more failures follow; the file names them all")


class _Counted:
    """Passes parts on and counts the rows that failed."""

    def __init__(self, parts: Iterable[Rows]) -> None:
        self._parts, self.failed = parts, 0

    def __iter__(self) -> Iterator[Rows]:
        for rows in self._parts:
            self.failed += sum(row["error"] is not None for row in rows)
            yield rows


@contextmanager
def _explained(output: Path) -> Iterator[None]:
    """Raise an `InputError` for a full disk or a place that cannot be written to."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        advice = f"free some space, then {_RESUME}" if error.errno in _FULL else _RESUME
        place = error.filename or output
        raise InputError(f"{place} cannot be written ({error.strerror}): {advice}") from None
