"""A list of shards in an object store: `shards.txt`, with one URL in each line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from captioning.core.errors import InputError

SHARD_LIST = "shards.txt"
#: Protocols of object stores. A list that came with data must not lead to files of this machine, or
#: into its network.
PROTOCOLS = ("s3", "gs", "gcs", "az", "abfs", "abfss")
_MAX_LIST_BYTES = 16 << 20
_MAX_SHARDS = 100_000
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_URL = re.compile(rf"({'|'.join(PROTOCOLS)})://[^/\s]+/\S.*\.tar", re.IGNORECASE)


def read_shard_list(folder: Path) -> list[str]:
    """The URLs in a folder's list of shards.

    A line can name several shards by a range, such as `s3://bucket/{00000..00331}.tar`. Blank
    lines, and lines that begin with `#`, are skipped.

    Raises:
        InputError: the list is not valid, or a URL occurs twice.
    """
    path = folder / SHARD_LIST
    try:
        with open(path, "rb") as file:
            text = file.read(_MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): save it as UTF-8") from None
    found: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        for url in _expanded(pattern, f"{path}:{number}"):
            if url in found:
                raise InputError(f"{path}:{number}: {url} occurs twice: remove one of them")
            if len(found) == _MAX_SHARDS:
                raise InputError(f"{path} lists more than {_MAX_SHARDS:,} shards: split the data")
            found[url] = None
    return list(found)


def _expanded(pattern: str, place: str) -> Iterator[str]:
    """The URLs that a line names.

    Raises:
        InputError: it is not the URL of a tar archive in an object store.
    """
    if not _URL.fullmatch(pattern):
        raise InputError(
            f"{place}: {pattern[:200]!r} is not the URL of a tar archive in an object store: give "
            f"one such as s3://bucket/00000.tar (protocols: {', '.join(PROTOCOLS)})"
        )
    match = _RANGE.search(pattern)
    if not match:
        yield pattern
        return
    first, last = int(match[1]), int(match[2])
    if not first <= last < first + _MAX_SHARDS:
        raise InputError(f"{place}: {match[0]} is not a range of at most {_MAX_SHARDS:,} numbers")
    for number in range(first, last + 1):
        written = f"{number:0{len(match[1])}d}"
        yield from _expanded(f"{pattern[: match.start()]}{written}{pattern[match.end() :]}", place)
