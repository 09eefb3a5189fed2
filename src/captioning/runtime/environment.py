"""Numbers that environment variables give: how work is done, never what comes out."""

from __future__ import annotations

import math
import os
from typing import TypeVar

from captioning.core.errors import InputError

NumberT = TypeVar("NumberT", int, float)


def number(variable: str, default: NumberT) -> NumberT:
    """The variable's finite number, of the default's type; the default where it is not set.

    Raises:
        InputError: it is set to something else.
    """
    text = os.environ.get(variable, "")
    try:
        value = type(default)(text) if text else default
    except ValueError:
        value = None
    if value is None or not math.isfinite(value):
        kind = "whole number" if isinstance(default, int) else "number"
        raise InputError(f"{variable} is {text!r}: it must be a {kind}")
    return value
