"""The images that a command line names: files, folders and URLs, read within limits."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from captioning.core.errors import InputError
from captioning.data.local_file import read_image_file


def expand(name: str) -> list[str | InputError]:
    """Replace a folder by the image files in it; leave a file or a URL as it is.

    If the folder cannot be read or contains no image file, the error stands in its place, so that
    it is reported in its turn.
    """
    from captioning.data.images.formats import IMAGE_SUFFIXES

    try:
        if is_url(name) or not Path(name).is_dir():
            return [name]
        found = sorted(p for p in Path(name).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    except (OSError, ValueError) as error:
        return [InputError(f"{name!r} cannot be read ({error})")]
    if not found:
        suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
        return [InputError(f"{name} contains no image file ({suffixes})")]
    return [str(path) for path in found]


def read(name: str, private_addresses: bool) -> bytes:
    """Read a file or a URL, under the limits that hold for images of datasets.

    Args:
        name: path of a file, or URL.
        private_addresses: whether a URL, or a redirect from it, may lead to addresses that are not
            public.

    Raises:
        InputError: it cannot be read, is too large or took too long, or an address is refused.
    """
    if not is_url(name):
        return read_image_file(name)
    from captioning.download.web.failure_reasons import FetchError
    from captioning.download.web.limited_urlopen import read_url
    from captioning.download.web.settings import Limits

    everywhere = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    try:
        return read_url(name, Limits(private_networks=everywhere if private_addresses else ()))
    except FetchError as error:
        advice = ""
        if str(error).startswith("private address refused"):
            advice = "; --private-addresses permits it"
        raise InputError(f"{name} cannot be read ({error}){advice}") from None


def is_url(name: str) -> bool:
    """Whether a name is a URL, of any scheme, rather than a path."""
    return "://" in name
