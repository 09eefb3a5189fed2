"""Pictures in object stores: listed below a prefix, and read within the limit of files.

Credentials and endpoints come from the environment, see `cluster.object_store`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from captioning.batch.folders import Skipped, has_image_suffix
from captioning.batch.pictures import Listed
from captioning.cluster.object_store import Store
from captioning.core.errors import InputError
from captioning.data.local_file import MAX_IMAGE_BYTES

#: Schemes of URLs that lead to object stores; all others are fetched from web servers or refused.
SCHEMES = ("abfs", "abfss", "az", "gcs", "gs", "s3", "s3a")


def is_object(name: str) -> bool:
    """Whether a name is the URL of an object, or of a prefix, in an object store."""
    return name.partition("://")[0].lower() in SCHEMES


def objects_below(url: str, recursive: bool, skipped: Skipped) -> Iterator[Listed]:
    """List the pictures below a prefix in an object store, as `pictures_in` lists a folder.

    The URL of one picture is listed as it is. The names directly below one prefix are in memory.
    """
    if has_image_suffix(url):
        yield Listed(url)
        return
    try:
        found = False
        for name in _walk(url, recursive, skipped):
            found = True
            yield Listed(name)
        if not found:
            yield Listed(url, _nothing_found(url, recursive))
    except InputError as error:
        yield Listed(url, str(error))


def _walk(url: str, recursive: bool, skipped: Skipped) -> Iterator[str]:
    scheme = url.partition("://")[0]
    pending = [url.rstrip("/")]
    while pending:
        names, prefixes = _list(pending.pop())
        for name in names:
            base = name.rpartition("/")[2]
            if has_image_suffix(base) and not base.startswith("."):
                yield f"{scheme}://{name}"
            else:
                skipped.number += 1
        if recursive:
            pending += (f"{scheme}://{name}" for name in reversed(prefixes))


def _list(url: str) -> tuple[list[str], list[str]]:
    """Sorted names of the objects directly below a prefix, and of the prefixes there."""
    import fsspec

    Store(url)  # Raises an InputError if the protocol's package is missing.
    system, root = fsspec.url_to_fs(url, use_listings_cache=False)
    try:
        listed = system.ls(root, detail=True)
    except FileNotFoundError:
        return [], []
    except Exception as error:
        # Each file system has its own exceptions.
        raise InputError(
            f"{url} cannot be listed ({str(error) or type(error).__name__}): check the URL, the "
            "credentials and the endpoint (AWS_ENDPOINT_URL) in the environment"
        ) from error
    objects = [each["name"] for each in listed if each["type"] == "file"]
    prefixes = [each["name"] for each in listed if each["type"] == "directory"]
    # Some stores list the prefix itself, as an empty object.
    return sorted(name for name in objects if not name.endswith("/")), sorted(prefixes)


def _nothing_found(url: str, recursive: bool) -> str:
    advice = "" if recursive else ": --recursive also reads below the prefixes in it"
    return f"{url} contains no object whose name ends like an image's{advice}"


def read_object(url: str) -> bytes:
    """Read an object, up to the size that holds for files.

    Raises:
        InputError: there is no such object, it is too large, or the store cannot be reached.
    """
    prefix, _, name = url.rpartition("/")
    store = _store(prefix)
    size = store.size(name)
    if size is not None and size > MAX_IMAGE_BYTES:
        raise InputError(f"{url} is larger than the limit of {MAX_IMAGE_BYTES:,} bytes")
    data = None if size is None else store.read(name)
    if data is None:
        raise InputError(f"{url} cannot be read (no such object)")
    return data


@lru_cache(maxsize=256)
def _store(prefix: str) -> Store:
    return Store(prefix)
