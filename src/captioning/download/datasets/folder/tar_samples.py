"""Read the samples of a WebDataset shard: files in a tar archive that have the same name.

Nothing is unpacked. The images are not read with the captions, but found again by their places.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterator
from itertools import groupby
from typing import IO, NamedTuple

from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Member
from captioning.download.names import leads_outside

_MAX_CAPTION_BYTES = 1 << 20
_BLOCK_BYTES = 512
# A sample's key and the rest of the name, as the library webdataset separates them.
_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]*)", re.DOTALL)


class Sample(NamedTuple):
    """The files of one sample.

    Attributes:
        key: their name without the part from the first dot.
        members: the places of all files, by the rest of the name in lower case.
        texts: contents of those that are not images, likewise.
    """

    key: str
    members: dict[str, Member]
    texts: dict[str, bytes]


def read_samples(
    file: IO[bytes], name: str, text_kinds: frozenset[str], problems: Problems
) -> Iterator[Sample]:
    """Yield the samples of a shard in its order.

    Args:
        file: the shard, which is not compressed.
        name: name of the shard in problems.
        text_kinds: the rests of names, such as `txt`, whose files are read.
        problems: collects files that are not used, and where the shard is damaged.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            files = _regular_files(archive, name, problems)
            for key, group in groupby(files, key=lambda pair: _split(pair[1].name)[0]):
                members, texts = {}, {}
                for info, member in group:
                    kind = _split(member.name)[1]
                    if kind in members:
                        problem = f"the file {member.name!r} occurs twice"
                        problems.add(Location(name, part=key), problem)
                    members[kind] = member
                    if kind in text_kinds:
                        texts[kind] = _content(archive, info, name, problems)
                yield Sample(key, members, texts)
            # Python takes a damaged header, and the end of the file, for the end of the archive.
            file.seek(archive.offset)
            if file.read(_BLOCK_BYTES) != bytes(_BLOCK_BYTES):
                raise tarfile.ReadError("it does not end as an archive does")
    except (tarfile.TarError, EOFError, ValueError) as error:
        reason = str(error) or type(error).__name__
        problem = f"is damaged, cut off or not a plain tar archive ({reason}): get it again"
        problems.add(Location(name), problem)


def _split(name: str) -> tuple[str, str]:
    match = _KEY.fullmatch(name)
    return (match[1], match[2].lower()) if match else (name, "")


def _regular_files(
    archive: tarfile.TarFile, name: str, problems: Problems
) -> Iterator[tuple[tarfile.TarInfo, Member]]:
    """The regular files; folders and hidden files are left out, everything else is a problem."""
    while info := archive.next():
        archive.members.clear()  # type: ignore[attr-defined]
        if info.isdir() or posixpath.basename(info.name).startswith("."):
            continue
        if leads_outside(info.name) or "\0" in info.name:
            problems.add(Location(name), f"its member {info.name!r} leads outside the archive")
        elif not info.isreg() or info.issparse():
            problems.add(Location(name), f"its member {info.name!r} is not a regular file")
        else:
            yield info, Member(info.name, info.offset_data, info.size)


def _content(
    archive: tarfile.TarFile, info: tarfile.TarInfo, name: str, problems: Problems
) -> bytes:
    """The content of a small file."""
    file = archive.extractfile(info)
    data = file.read(_MAX_CAPTION_BYTES + 1) if file else b""
    if len(data) > _MAX_CAPTION_BYTES:
        limit = f"is larger than {_MAX_CAPTION_BYTES:,} bytes"
        problems.add(Location(name, part=info.name), limit)
        return b""
    return data
