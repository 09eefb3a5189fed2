"""The base class of all sections of a settings file, and the functions that read such a file.

Unknown keys, wrong types and impossible values are all listed by name in one message, before a
stage does any work.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from captioning.core.errors import InputError
from captioning.params.yaml_file import read_mapping

_MD5 = "^[0-9a-f]{32}$"
_PLACE = r"^\P{Cc}+$"
# What these patterns ask for.
_PATTERNS = {
    _MD5: "should be an MD5 sum: 32 of the digits 0-9 and a-f",
    _PLACE: "should be a path or URL without control characters",
}

#: Number of things, such as images; the bound is far above every dataset.
Count = Annotated[int, Field(ge=1, le=10**9)]
#: Number of images in a batch, which must fit into the memory together.
BatchSize = Annotated[int, Field(ge=1, le=4096)]
#: Path or URL.
Place = Annotated[str, Field(min_length=1, max_length=4096, pattern=_PLACE)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0, lt=1)]
Md5 = Annotated[str, Field(pattern=_MD5)]

_MAX_PROBLEMS = 50
_MAX_TEXT = 200
# Values in messages: a long or deeply nested one is shown in part.
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 80
_BRIEF.maxlevel = 2


class Section(BaseModel):
    """Base class of all sections.

    Unknown keys are refused, values are not converted, and nothing changes after loading.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


SectionT = TypeVar("SectionT", bound=Section)


def load_section(path: Path | str, schema: type[SectionT]) -> SectionT:
    """Read a YAML file and check it against a schema.

    Raises:
        InputError: as `read_mapping`; or a key is unknown or missing, or its value has a wrong
            type or is impossible. The problems are listed by the keys' full names.
    """
    values = read_mapping(path)
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise InputError(_readable(path, error)) from None


def check_values(values: Mapping[str, Any], schema: type[Section]) -> None:
    """Check values that come from somewhere else than a file.

    Raises:
        InputError: as `load_section`, but in one line.
    """
    try:
        schema.model_validate(dict(values))
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise InputError("; ".join(problem_text(problem) for problem in problems)) from None


def problem_text(problem: ErrorDetails) -> str:
    """Describe a validation error in one line: the key's full name, the problem, the value."""
    key = _shortened(".".join(str(part) for part in problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if problem["type"] == "missing":
        return f"{key}: is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(problem["ctx"]["pattern"], message)
    if problem["type"] != "value_error":
        message += f" (found {_BRIEF.repr(problem['input'])})"
    return f"{key}: {message}" if key else message


def _readable(path: Path | str, error: ValidationError) -> str:
    """Describe all problems, one in each line."""
    problems = error.errors(include_url=False)
    lines = [f"  {problem_text(problem)}" for problem in problems[:_MAX_PROBLEMS]]
    if len(problems) > len(lines):
        lines.append(f"  and {len(problems) - len(lines)} more")
    return f"{path} has {len(problems)} problem{'s'[: len(problems) > 1]}:\n" + "\n".join(lines)


def _shortened(text: str) -> str:
    """The text in one line of at most `_MAX_TEXT` characters."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}…"
