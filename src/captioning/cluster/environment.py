"""Reads numbers from environment variables, which set how work is done, never its result."""

from __future__ import annotations

import math
import os
from typing import TypeVar

from captioning.core.errors import InputError

NumberT = TypeVar("NumberT", int, float)


def number(variable: str, default: NumberT) -> NumberT:
    """The value of an environment variable as a finite number of the default's type.

    Args:
        variable: name of the environment variable.
        default: value where the variable is not set or empty.

    Raises:
        InputError: the variable is set to something else.
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
