"""Names that come with data and that could lead to other files: image ids, and names in URLs.

Every image id passes `check_name` before its image is written to the raw table, whatever the
dataset; file names from URLs pass `check_file_name` before they become part of a path.
"""

from __future__ import annotations

from captioning.core.errors import InputError

_MAX_SHOWN_CHARACTERS = 120


def leads_outside(name: str) -> bool:
    """Whether a name, understood as a path in a folder, could lead outside of that folder.

    Backslashes separate folders too, as on Windows.

    >>> leads_outside("train/1.jpg"), leads_outside("../1.jpg"), leads_outside("/etc/passwd")
    (False, True, True)
    """
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "" or parts[0].endswith(":") or ".." in parts


def check_name(name: str, what: str) -> None:
    """Refuse a name that is not text or that leads outside the folder of the data.

    Args:
        name: image id, or path of an image in a list.
        what: what has this name, in the message.

    Raises:
        InputError: the name is empty, absolute, has a part `..` or a NUL character, or is not valid
            Unicode.
    """
    if not name:
        fault = "is empty"
    elif not is_unicode(name):
        fault = "is not valid Unicode"
    elif "\0" in name:
        fault = "contains a NUL character"
    elif leads_outside(name):
        fault = "leads outside the folder of the data"
    else:
        return
    raise InputError(
        f"{what} {_shortened(name)} {fault}: correct the list of images that contains it"
    )


def check_file_name(name: str, place: str) -> None:
    """Refuse a name that is not the plain name of a file, so that it cannot choose the folder.

    Args:
        name: name of the file.
        place: URL or file that contains the name, for the message.

    Raises:
        InputError: the name is empty or a path, see also `check_name`.
    """
    if not name or leads_outside(name) or any(sign in name for sign in "/\\\0"):
        raise InputError(
            f"{place}: {_shortened(name)} is not the name of a file: correct it in params.yaml"
        )


def is_unicode(text: str) -> bool:
    """Whether a text is valid Unicode, without lone surrogates.

    Lone surrogates come from JSON (`\\ud800`) or from file names that are not UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shortened(name: str) -> str:
    """A name in quotes, with its control characters escaped, and not too long to print."""
    shown = repr(name)
    return shown if len(shown) <= _MAX_SHOWN_CHARACTERS else f"{shown[:_MAX_SHOWN_CHARACTERS]}…"
