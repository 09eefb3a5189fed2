"""Read and write `vocabulary.txt`: one token per line; line k, from 0, is the token with id k."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from captioning.core.errors import InputError
from captioning.text.special import PAD, SPECIAL_LINES, SPECIAL_TOKENS


def to_lines(tokens: Sequence[str]) -> list[str]:
    """The lines of tokens. The padding token, which is empty, is written as "[PAD]"."""
    renamed = {(PAD, SPECIAL_TOKENS[PAD]): SPECIAL_LINES[PAD]}
    return [renamed.get((number, token), token) for number, token in enumerate(tokens)]


def to_bytes(tokens: Sequence[str]) -> bytes:
    """The content of the file."""
    return "".join(f"{line}\n" for line in to_lines(tokens)).encode()


def read_tokens(path: Path) -> tuple[str, ...]:
    """Read a file with the content of `to_bytes`.

    Raises:
        InputError: the file is missing, not UTF-8, truncated, or does not begin with the special
            tokens.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro vocabulary`") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a vocabulary: not UTF-8 ({error})") from None
    *lines, rest = text.split("\n")
    check_special(str(path), lines, SPECIAL_LINES)
    if rest:
        raise InputError(
            f"{path} line {len(lines) + 1}: the file is truncated after {rest!r}: "
            "run `dvc repro vocabulary`"
        )
    return (*SPECIAL_TOKENS, *lines[len(SPECIAL_TOKENS) :])


def check_special(name: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that a vocabulary begins with its special tokens.

    Args:
        name: name of the vocabulary in error messages.
        found: all tokens or lines of the vocabulary.
        wanted: `SPECIAL_TOKENS` for tokens in memory, `SPECIAL_LINES` for lines of a file.

    Raises:
        InputError: the special tokens are missing; the message names the first line that differs.
    """
    for number, (line, special) in enumerate(zip(found, wanted, strict=False), start=1):
        if line != special:
            expected = special or "'' (padding)"
            raise InputError(f"{name} line {number}: must be {expected}, found {line!r}")
    if len(found) < len(wanted):
        raise InputError(f"{name} is not a vocabulary: it has fewer than {len(wanted)} lines")
