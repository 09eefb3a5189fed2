"""The base class of all sections of a settings file, and the functions that read such a file.

Unknown keys, wrong types and impossible values are all listed by name in one message, before a
stage does any work.
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
    """Base class of all sections.

    Unknown keys are refused, values are not converted, and nothing changes after loading.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


SectionT = TypeVar("SectionT", bound=Section)


def load_section(path: Path | str, schema: type[SectionT]) -> SectionT:
    """Read a YAML file and check it against a schema.

    Raises:
        InputError: the file is missing or is not a YAML mapping; or a key is unknown or missing,
            or its value has a wrong type or is impossible. Every problem is listed by the key's
            full name.
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
    """Parse YAML in UTF-8.

    Args:
        content: bytes of the file.
        name: name of the file in error messages.

    Raises:
        InputError: the content is not a YAML mapping.
    """
    try:
        # The loader that DVC uses for params.yaml (YAML 1.2: 6e-4 is a number), so that both agree.
        values = YAML(typ="safe", pure=True).load(content.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{name} must contain a mapping of sections")
    return values


def problem_text(problem: ErrorDetails) -> str:
    """Describe a validation error in one line: the key's full name, the problem, the value."""
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
    """Describe all problems, one in each line."""
    lines = [f"  {problem_text(problem)}" for problem in error.errors(include_url=False)]
    return f"{path} has {len(lines)} problem{'s'[: len(lines) > 1]}:\n" + "\n".join(lines)
