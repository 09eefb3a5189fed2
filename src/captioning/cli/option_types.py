"""Values of command-line options, checked when they are parsed."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

# A number with more characters is wrong, and Python itself refuses to convert very long ones.
_MAX_CHARACTERS = 40


def whole_number(what: str, low: int, high: int) -> Callable[[str], int]:
    """A type for `add_argument`: a whole number between two limits.

    Args:
        what: what the number is, for the message.
        low: smallest number accepted.
        high: largest number accepted.
    """

    def parse(text: str) -> int:
        try:
            number = int(text[:_MAX_CHARACTERS])
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(
                f"the {what} must be a whole number between {low} and {high}, not {_short(text)}"
            )
        return number

    return parse


def decimal_number(what: str, low: float, high: float) -> Callable[[str], float]:
    """A type for `add_argument`: a number between two limits.

    Args:
        what: what the number is, for the message.
        low: smallest number accepted.
        high: largest number accepted.
    """

    def parse(text: str) -> float:
        number = _float(text)
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(
                f"the {what} must be a number between {low} and {high}, not {_short(text)}"
            )
        return number

    return parse


def temperature(text: str) -> float:
    """A type for `add_argument`: 0, or a temperature at which probabilities can be computed."""
    number = _float(text)
    if number != 0 and not 0.001 <= number <= 1000:
        raise argparse.ArgumentTypeError(
            f"the temperature must be 0, or between 0.001 and 1000, not {_short(text)}"
        )
    return number


def png_path(text: str) -> Path:
    """A type for `add_argument`: the path of a PNG file."""
    path = Path(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(
            f"pictures are written as PNG files: give a name that ends in .png, not {_short(text)}"
        )
    return path


def _float(text: str) -> float:
    """The number that a text says; not a number if it says none."""
    try:
        return float(text[:_MAX_CHARACTERS])
    except ValueError:
        return math.nan


def _short(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
