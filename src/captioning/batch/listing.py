"""What the names on a command line, or in a file of names, lead to."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from captioning.batch.folders import Skipped, pictures_in
from captioning.batch.objects import is_object, objects_below
from captioning.batch.pictures import Listed, is_url
from captioning.core.errors import InputError
from captioning.data.local_file import read_image_file

#: The name that stands for standard input.
STDIN = "-"
# A longer line is no path: no file system and hardly any server accepts it.
_MAX_LINE_BYTES = 1 << 16


def expand(name: str, recursive: bool = False, skipped: Skipped | None = None) -> Iterator[Listed]:
    """List the pictures that a name leads to: a file, a folder, a URL, or `-`.

    What cannot be read is listed with the reason, so that it is reported in its turn.

    Args:
        name: path, URL, or prefix in an object store.
        recursive: whether subfolders are read, too.
        skipped: counts the files in folders that are left out.
    """
    skipped = skipped or Skipped()
    try:
        if "\0" in os.fsdecode(os.fsencode(name)):
            raise ValueError("embedded null byte")
    except ValueError as error:  # Also an unpaired surrogate, which no file name can contain.
        yield Listed(ascii(name), f"{name!r} cannot be read ({error})")
        return
    if is_object(name):
        yield from objects_below(name, recursive, skipped)
    elif name == STDIN or is_url(name):
        yield Listed(name)
    else:
        yield from _expand_path(name, recursive, skipped)


def _expand_path(name: str, recursive: bool, skipped: Skipped) -> Iterator[Listed]:
    """List a path, see `expand`."""
    try:
        mode = Path(name).stat().st_mode
        if stat.S_ISDIR(mode):
            yield from pictures_in(name, recursive, skipped)
            return
        if not stat.S_ISREG(mode):
            read_image_file(name)  # Raises without opening it.
        yield Listed(name)
    except OSError as error:
        yield Listed(name, f"{name} cannot be read ({error.strerror or error})")
    except InputError as error:
        yield Listed(name, str(error))


def names_in(path: str) -> Iterator[str]:
    """Yield the lines of a file, or of standard input if the path is `-`, without empty ones.

    Raises:
        InputError: the file cannot be read, or a line is too long for a path.
    """
    with ExitStack() as files:
        try:
            file = sys.stdin.buffer if path == STDIN else files.enter_context(open(path, "rb"))
            number = 0
            while line := file.readline(_MAX_LINE_BYTES):
                number += 1
                if len(line) == _MAX_LINE_BYTES:
                    raise InputError(
                        f"{path}: line {number} is too long for a path or URL: a list has one on "
                        "each line"
                    )
                name = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if name := name.rstrip(b"\r\n"):
                    yield os.fsdecode(name)
        except OSError as error:
            raise InputError(f"the list {path} cannot be read ({error.strerror})") from None


def list_pictures(names: Iterable[str], recursive: bool, skipped: Skipped) -> Iterator[Listed]:
    """List the pictures that many names lead to, see `expand`."""
    for name in names:
        yield from expand(name, recursive, skipped)


def check_names(names: list[str], lists: list[str], output: Path | None) -> None:
    """Refuse names that cannot go together.

    Raises:
        InputError: standard input would be read twice, or is to be read where a run that was
            killed could not read it again.
    """
    pictures = names.count(STDIN)
    if pictures + lists.count(STDIN) > 1:
        raise InputError("- stands for standard input, which can be read once only")
    if pictures and output is not None:
        raise InputError(
            "a picture from standard input cannot be read again after an interruption: "
            "save it as a file, or leave out -o"
        )
