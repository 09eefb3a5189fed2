"""Read and write `vocabulary.txt`: one token per line; line k, from 0, is the token with id k."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from captioning.core.errors import InputError
from captioning.core.opening import opening
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
        InputError: the file is missing.
        DamagedError: it is not UTF-8, truncated, or does not begin with the special tokens.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: run `dvc repro vocabulary`")
    with opening(path):
        *lines, rest = path.read_bytes().decode("utf-8").split("\n")
        check_special(lines, SPECIAL_LINES)
        if rest:
            raise ValueError(f"line {len(lines) + 1}: the file is truncated after {rest!r}")
    return (*SPECIAL_TOKENS, *lines[len(SPECIAL_TOKENS) :])


def check_special(found: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that a vocabulary begins with its special tokens.

    Args:
        found: all tokens or lines of the vocabulary.
        wanted: `SPECIAL_TOKENS` for tokens in memory, `SPECIAL_LINES` for lines of a file.

    Raises:
        ValueError: the special tokens are missing; the message names the first line that differs.
    """
    for number, (line, special) in enumerate(zip(found, wanted, strict=False), start=1):
        if line != special:
            expected = special or "'' (padding)"
            raise ValueError(f"line {number}: must be {expected}, found {line!r}")
    if len(found) < len(wanted):
        raise ValueError(f"not a vocabulary: it has fewer than {len(wanted)} lines")
