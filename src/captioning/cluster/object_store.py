"""Reads and writes files in an object store, or any other storage that fsspec supports.

Credentials, region and endpoint come from the usual environment variables (for S3 `AWS_PROFILE`,
`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and so on) or from fsspec's own configuration.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from captioning.core.errors import InputError
from captioning.core.files import atomic_path, sha256

_READ_BLOCK_BYTES = 8 << 20


class Store:
    """A folder at a URL.

    Args:
        url: URL of a protocol that fsspec supports, such as `s3://bucket/prefix`, `gs://…` or
            `file:///folder`.

    Raises:
        InputError: the protocol is unknown or its package is not installed. All methods raise it
            when the store cannot be reached or refuses the operation.
    """

    def __init__(self, url: str) -> None:
        # Imported here because runs without a store do not need it.
        import fsspec

        self.url = url.rstrip("/")
        try:
            # A cached listing would not show what other machines have written since.
            self._fs, self._root = fsspec.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            raise InputError(f"{url}: {error}; for S3 run `pip install -e '.[cluster]'`") from None
        except ValueError as error:
            raise InputError(f"{url}: {error}: give a URL such as s3://bucket/prefix") from None
        self._is_local = "file" in _protocols(self._fs)

    def __truediv__(self, name: str) -> Store:
        """The folder `name` inside this one."""
        return Store(f"{self.url}/{name}")

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; None if the file does not exist."""
        with self._as_input_error(name):
            try:
                return int(self._fs.info(self._path(name))["size"])
            except FileNotFoundError:
                return None

    def read(self, name: str) -> bytes | None:
        """Content of a small file; None if the file does not exist."""
        with self._as_input_error(name):
            try:
                return bytes(self._fs.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file for reading from any position; it is fetched in blocks, in advance."""
        with (
            self._as_input_error(name),
            self._fs.open(self._path(name), "rb", **self._reading()) as file,
        ):
            yield file

    def write(self, name: str, content: bytes) -> None:
        """Write a small file."""
        path = self._path(name)
        with self._as_input_error(name):
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, content)

    def put(self, path: Path, name: str) -> None:
        """Copy a local file to the store, where it appears only once it is complete."""
        target = self._path(name)
        with self._as_input_error(name):
            if not self._is_local:
                # Object stores show an object only once it is complete.
                self._fs.put_file(str(path), target)
                return
            # Two machines may write the same file, so each has its own temporary file.
            temporary = Path(f"{target}.{uuid.uuid4().hex}.partial")
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(path, temporary)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def get(self, name: str, path: Path, checksum: str) -> None:
        """Copy a file from the store to `path`.

        Raises:
            InputError: the SHA-256 of the file is not `checksum`; the file is then removed from
                the store.
        """
        with atomic_path(path) as temporary:
            with self._as_input_error(name):
                self._fs.get_file(self._path(name), str(temporary))
            if sha256(temporary) != checksum:
                self.remove(name)
                raise InputError(
                    f"{self.url}/{name} was damaged (its checksum differs) and has been removed: "
                    "run `dvc repro` again"
                )

    def local(self, name: str) -> Path | None:
        """Local path of a file, if the store is a local folder; otherwise None."""
        return Path(self._path(name)) if self._is_local else None

    def remove(self, name: str) -> None:
        """Remove a file or a folder with its content, if it exists."""
        with self._as_input_error(name):
            if self._fs.exists(self._path(name)):
                self._fs.rm(self._path(name), recursive=True)

    def _reading(self) -> dict[str, Any]:
        """Options for reading a large file mostly from start to end."""
        if self._is_local:
            return {}
        return {"block_size": _READ_BLOCK_BYTES, "cache_type": "readahead"}

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _as_input_error(self, name: str) -> Iterator[None]:
        """Raise any error as an `InputError`, because each file system has its own exceptions."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{self.url}/{name}: {str(error) or type(error).__name__}: check the URL, the "
                "credentials and the endpoint (AWS_ENDPOINT_URL) in the environment"
            ) from error


def _protocols(file_system: Any) -> tuple[str, ...]:
    """The protocols that a file system supports."""
    protocol = file_system.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
