"""Tar archives with samples, as the library webdataset and img2dataset write them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from own_pictures import numbered

Members = Iterable[tuple[str, bytes]]


def sample(number: int, key: str | None = None) -> list[tuple[str, bytes]]:
    """The files of one sample as img2dataset writes them."""
    key = key or f"{number:09d}"
    caption = f"picture number {number}"
    facts = json.dumps({"caption": caption, "url": "http://x/y.jpg", "status": "success"})
    return [
        (f"{key}.jpg", numbered(number)),
        (f"{key}.json", facts.encode()),
        (f"{key}.txt", caption.encode()),
    ]


def tar(members: Members, *more: tarfile.TarInfo) -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return buffer.getvalue()


def write_shards(folder: Path, samples: int, each: int) -> Path:
    """Write shards `00000.tar`, `00001.tar`, …, with `each` samples; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard, first in enumerate(range(0, samples, each)):
        members = [m for number in range(first, min(first + each, samples)) for m in sample(number)]
        (folder / f"{shard:05d}.tar").write_bytes(tar(members))
    return folder
