"""Read pictures from files, URLs, object stores and standard input, within limits."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

from captioning.batch.listing import STDIN
from captioning.batch.objects import is_object, read_object
from captioning.batch.pictures import is_url
from captioning.core.errors import InputError
from captioning.data.local_file import MAX_IMAGE_BYTES, read_image_file


def read(name: str, private_addresses: bool = False, folder: str = "") -> bytes:
    """Read a file, a URL, an object or standard input, under the limits of datasets' images.

    Args:
        name: path of a file, URL, or `-` for standard input.
        private_addresses: whether a URL, or a redirect from it, may lead to addresses that are not
            public.
        folder: where relative paths are looked up; by default the current folder.

    Raises:
        InputError: it cannot be read, is too large or took too long, or an address is refused.
    """
    if name == STDIN:
        return _read_stdin()
    if is_object(name):
        return read_object(name)
    if is_url(name):
        return _read_url(name, private_addresses)
    return read_image_file(Path(folder, name), name)


def _read_stdin() -> bytes:
    data = sys.stdin.buffer.read(MAX_IMAGE_BYTES + 1)
    if len(data) > MAX_IMAGE_BYTES:
        raise InputError(f"standard input is larger than the limit of {MAX_IMAGE_BYTES:,} bytes")
    return data


def _read_url(url: str, private_addresses: bool) -> bytes:
    from captioning.download.web.failure_reasons import FetchError
    from captioning.download.web.limited_urlopen import read_url
    from captioning.download.web.settings import Limits

    everywhere = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    try:
        return read_url(url, Limits(private_networks=everywhere if private_addresses else ()))
    except FetchError as error:
        advice = ""
        if str(error).startswith("private address refused"):
            advice = "; --private-addresses permits it"
        raise InputError(f"{url} cannot be read ({error}){advice}") from None
