"""Atomic file writing, JSON with reproducible bytes, and checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Folder for unfinished work and for lists too long to print; neither Git nor DVC tracks it.
SCRATCH = Path(".scratch")
_CHUNK_BYTES = 1 << 20
# Most file systems permit no longer file names.
_MAX_NAME_BYTES = 255


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    If the block raises, the temporary file is removed and an existing file at `path` is kept.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix is kept: Keras, Matplotlib and other writers choose the file format by it.
    name = f".{target.stem}.partial{target.suffix}"
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        name = f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()}.partial{target.suffix}"
    temporary = target.with_name(name)
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: Path | str) -> Iterator[Path]:
    """Create `path` as an empty folder, deleting what is there, and yield it.

    A stage never edits its old outputs in place: DVC may have replaced them by read-only links
    into its cache.
    """
    folder = Path(path)
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    yield folder


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as JSON with sorted keys, an indent of 2, unescaped Unicode, a final newline.

    Raises:
        ValueError: `value` contains NaN or infinity, which JSON cannot represent.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_bytes((text + "\n").encode())


def read_json(path: Path | str) -> Any:
    """Read a UTF-8 encoded JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def sha256(path: Path | str) -> str:
    """SHA-256 checksum of a file, in hexadecimal."""
    return _checksum(path, hashlib.sha256())


def md5(path: Path | str) -> str:
    """MD5 checksum of a file, in hexadecimal; dataset releases publish MD5 checksums."""
    return _checksum(path, hashlib.md5(usedforsecurity=False))


def _checksum(path: Path | str, digest: hashlib._Hash) -> str:
    """Update a digest with a file, one chunk at a time, and return it in hexadecimal."""
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
