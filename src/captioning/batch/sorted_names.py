"""Sort any number of file names with a bounded number of them in memory."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice

from captioning.batch.pictures import nul_separated

# About 20 MB of names; ten million names make 40 files.
NAMES_IN_MEMORY = 250_000


def sorted_names(names: Iterable[bytes]) -> Iterator[bytes]:
    """Yield names, which contain no NUL byte, in the order of their bytes.

    More than `NAMES_IN_MEMORY` of them are sorted piece by piece, in temporary files.
    """
    source = iter(names)
    piece = sorted(islice(source, NAMES_IN_MEMORY))
    if len(piece) < NAMES_IN_MEMORY:
        yield from piece
        return
    with ExitStack() as files:
        pieces = []
        while piece:
            file = files.enter_context(tempfile.TemporaryFile())
            file.writelines(name + b"\0" for name in piece)
            file.seek(0)
            pieces.append(nul_separated(file))
            piece = sorted(islice(source, NAMES_IN_MEMORY))
        yield from heapq.merge(*pieces)
