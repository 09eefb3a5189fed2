"""What every section of a YAML file of settings has in common, and how one is read.

Unknown keys, wrong types and impossible values are refused by name, all of them in one message,
before a stage does any work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from captioning.core.errors import InputError

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0, lt=1)]
Md5 = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class Section(BaseModel):
    """Base of all sections: no unknown key, no silent conversion, no change after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


SectionT = TypeVar("SectionT", bound=Section)


def load_section(path: Path | str, schema: type[SectionT]) -> SectionT:
    """Read a YAML file and check it against a schema.

    Raises:
        InputError: the file is missing or no YAML mapping, or any key is unknown, missing, of a
            wrong type or impossible. Every problem is listed, by the key's full name.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run from the repository's root") from None
    try:
        return schema.model_validate(parse_mapping(content, str(path)))
    except ValidationError as error:
        raise InputError(_readable(path, error)) from None


def parse_mapping(content: bytes, name: str) -> dict[str, Any]:
    """Parse YAML in UTF-8; `name` is what to call it in errors.

    Raises:
        InputError: it is no YAML mapping.
    """
    try:
        # The loader DVC reads params.yaml with (YAML 1.2: 6e-4 is a number), so both see the same.
        values = YAML(typ="safe", pure=True).load(content.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{name} must hold a mapping of sections")
    return values


def problem_text(problem: ErrorDetails) -> str:
    """Say in one line what pydantic found: the key's full name, what is wrong, the value found."""
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if problem["type"] == "missing":
        return f"{key}: is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] != "value_error":
        message += f" (found {problem['input']!r})"
    return f"{key}: {message}"


def _readable(path: Path | str, error: ValidationError) -> str:
    """One line a problem."""
    lines = [f"  {problem_text(problem)}" for problem in error.errors(include_url=False)]
    return f"{path} has {len(lines)} problem{'s'[: len(lines) > 1]}:\n" + "\n".join(lines)
