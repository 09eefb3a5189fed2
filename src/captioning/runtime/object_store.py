"""Files in an object store, or wherever fsspec reaches.

Credentials, region and endpoint are the usual ones of the environment (for S3: `AWS_PROFILE`,
`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and so on) or of fsspec's own configuration.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from captioning.core.errors import InputError
from captioning.core.files import atomic_path, sha256


class Store:
    """A folder behind a URL.

    Args:
        url: of any protocol that fsspec knows: `s3://bucket/prefix`, `gs://…`, `file:///folder`.

    Raises:
        InputError: here, when the protocol is unknown or its package missing; everywhere, when the
            store can't be reached, or refuses what is asked.
    """

    def __init__(self, url: str) -> None:
        # Imported here: a run without a store needs none of it.
        import fsspec

        self.url = url.rstrip("/")
        try:
            # A listing kept in memory would not show what other machines have written since.
            self._fs, self._root = fsspec.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            raise InputError(f"{url}: {error}; for S3 run `pip install -e '.[cluster]'`") from None
        except ValueError as error:
            raise InputError(f"{url}: {error}: give a URL such as s3://bucket/prefix") from None
        self._is_local = "file" in _protocols(self._fs)

    def __truediv__(self, name: str) -> Store:
        """The folder `name` in this one."""
        return Store(f"{self.url}/{name}")

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none."""
        with self._told(name):
            try:
                return int(self._fs.info(self._path(name))["size"])
            except FileNotFoundError:
                return None

    def read(self, name: str) -> bytes | None:
        """A small file's bytes; None if there is none."""
        with self._told(name):
            try:
                return bytes(self._fs.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Write a small file."""
        path = self._path(name)
        with self._told(name):
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, content)

    def put(self, path: Path, name: str) -> None:
        """Write a local file to the store, where it is seen once it is whole, and not before."""
        target = self._path(name)
        with self._told(name):
            if not self._is_local:
                # An object appears with its last byte.
                self._fs.put_file(str(path), target)
                return
            # Two machines may write the same file, so each has a temporary one of its own.
            temporary = Path(f"{target}.{uuid.uuid4().hex}.partial")
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, temporary)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def get(self, name: str, path: Path, checksum: str) -> None:
        """Copy a file of the store to `path`.

        Raises:
            InputError: its SHA-256 is not `checksum`; it is then removed from the store.
        """
        with atomic_path(path) as temporary:
            with self._told(name):
                self._fs.get_file(self._path(name), str(temporary))
            if sha256(temporary) != checksum:
                self.remove(name)
                raise InputError(
                    f"{self.url}/{name} was not what had been written (its checksum differed) and "
                    "was removed: run `dvc repro` again"
                )

    def local(self, name: str) -> Path | None:
        """The path of a file that can be read where it lies; None if it must be copied first."""
        return Path(self._path(name)) if self._is_local else None

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it, if it is there."""
        with self._told(name):
            if self._fs.exists(self._path(name)):
                self._fs.rm(self._path(name), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Turn whatever goes wrong into one sentence: each file system has errors of its own."""
        try:
            yield
        except Exception as error:
            raise InputError(
                f"{self.url}/{name}: {str(error) or type(error).__name__}: check the URL, the "
                "credentials and the endpoint (AWS_ENDPOINT_URL) that the environment names"
            ) from error


def _protocols(file_system: Any) -> tuple[str, ...]:
    """The protocols that a file system speaks."""
    protocol = file_system.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
