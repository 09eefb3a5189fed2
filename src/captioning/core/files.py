"""Writing files whole or not at all, with the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Folder for unfinished work and lists that are too long to print; neither Git nor DVC tracks it.
SCRATCH = Path(".scratch")
_CHUNK = 1 << 20


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` when the block ends well.

    When the block raises, the temporary file is removed and whatever stood at `path` stays.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers such as Keras and Matplotlib choose the format by it.
    temporary = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: Path | str) -> Iterator[Path]:
    """Yield `path` as an empty folder, created where needed.

    A stage rewrites its outputs whole: under link-type caches what lies there is read-only links.
    """
    folder = Path(path)
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    yield folder


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as JSON: sorted keys, two spaces, non-ASCII as it is, a newline at the end.

    Raises:
        ValueError: `value` holds NaN or infinity, which JSON lacks.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_bytes((text + "\n").encode())


def read_json(path: Path | str) -> Any:
    """Read a JSON file written in UTF-8."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return _checksum(path, hashlib.sha256())


def md5(path: Path | str) -> str:
    """MD5 of a file's bytes, in hexadecimal: the sum that releases of datasets publish."""
    return _checksum(path, hashlib.md5(usedforsecurity=False))


def _checksum(path: Path | str, digest: hashlib._Hash) -> str:
    """Feed a file to a digest in chunks of one MiB."""
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
