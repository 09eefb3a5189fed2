"""Several captions in one text: a list as JSON, Python or NumPy writes it."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any

# A text in single or double quotes, with escapes.
_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
# NumPy separates by white space; that Python joins such texts to one is why they are read here.
_SEPARATOR = r"(?:\s*,\s*|\s+)"
_LIST = re.compile(rf"\[\s*(?:{_QUOTED}(?:{_SEPARATOR}{_QUOTED})*(?:\s*,)?\s*)?\]", re.DOTALL)
_TEXT = re.compile(_QUOTED, re.DOTALL)
_LIKE_A_LIST = re.compile(r"""\[\s*(?:["']|None\b|nan\b)""")


def listed_captions(cell: str) -> Any:
    """The list that a text contains, or the text itself if it is not a list.

    A text that begins with `[` but not with `["` or `['` is an ordinary caption, unless it is a
    whole JSON list.

    >>> listed_captions("['A dog runs.', 'Brown dog']"), listed_captions("[music] plays")
    (['A dog runs.', 'Brown dog'], '[music] plays')

    Raises:
        ValueError: the text begins like a list of texts, but is not one.
    """
    text = cell.strip()
    if not text.startswith("["):
        return cell
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if _LIST.fullmatch(text):
        try:
            return [_text(match[0]) for match in _TEXT.finditer(text)]
        except (ValueError, SyntaxError):
            pass
    elif not _LIKE_A_LIST.match(text):
        return cell
    raise ValueError("begins like a list, but is neither a JSON nor a Python list")


def _text(quoted: str) -> Any:
    """The value of a text in quotes; it may span lines, which Python would not accept."""
    escaped = quoted.replace("\r", "\\r").replace("\n", "\\n")
    with warnings.catch_warnings():
        # A backslash that escapes nothing, as in '\d', stands for itself.
        warnings.simplefilter("ignore")
        return ast.literal_eval(escaped)
