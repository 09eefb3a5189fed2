"""The file `vocabulary.txt`: one token a line, line k (from 0) is the token of id k."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from captioning.core.errors import InputError
from captioning.text.special import PAD, SPECIAL_LINES, SPECIAL_TOKENS


def to_lines(tokens: Sequence[str]) -> list[str]:
    """The lines of tokens; padding's is "[PAD]"."""
    renamed = {(PAD, SPECIAL_TOKENS[PAD]): SPECIAL_LINES[PAD]}
    return [renamed.get((number, token), token) for number, token in enumerate(tokens)]


def to_bytes(tokens: Sequence[str]) -> bytes:
    """The whole file."""
    return "".join(f"{line}\n" for line in to_lines(tokens)).encode()


def read_tokens(path: Path) -> tuple[str, ...]:
    """Read a file that `to_bytes` made.

    Raises:
        InputError: the file is missing, no text, cut off, or doesn't begin with the special tokens.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro vocabulary`") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no vocabulary: not UTF-8 ({error})") from None
    *lines, rest = text.split("\n")
    check_special(str(path), lines, SPECIAL_LINES)
    if rest:
        raise InputError(
            f"{path} line {len(lines) + 1}: no newline after {rest!r}, the file is cut off: "
            "run `dvc repro vocabulary`"
        )
    return (*SPECIAL_TOKENS, *lines[len(SPECIAL_TOKENS) :])


def check_special(name: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that a vocabulary begins with its special tokens.

    Args:
        name: what errors call the vocabulary.
        found: all its tokens or lines.
        wanted: `SPECIAL_TOKENS` for tokens in memory, `SPECIAL_LINES` for lines of a file.

    Raises:
        InputError: it begins otherwise; the message names the first line that differs.
    """
    for number, (line, special) in enumerate(zip(found, wanted, strict=False), start=1):
        if line != special:
            belongs = special or "'' (padding)"
            raise InputError(f"{name} line {number}: {line!r} found where {belongs} belongs")
    if len(found) < len(wanted):
        raise InputError(f"{name} ends before line {len(wanted)}: not a vocabulary")
