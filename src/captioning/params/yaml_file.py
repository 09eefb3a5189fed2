"""Reads a YAML file of settings; whatever is wrong with it is said in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node

from captioning.core.errors import InputError

#: Settings files have a few hundred lines. The YAML parser would need minutes for a large file.
MAX_BYTES = 1_000_000
_MAX_MESSAGE = 200


def read_mapping(path: Path | str) -> dict[str, Any]:
    """Read and parse a YAML file.

    Raises:
        InputError: the file is missing, is no regular file or cannot be read; or as
            `parse_mapping`.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise InputError(f"{path} is a folder: it must be a YAML file")
        if file.exists() and not file.is_file():
            raise InputError(f"{path} is no regular file: it must be a YAML file")
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run from the repository's root") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return parse_mapping(content, str(path))


def parse_mapping(content: bytes, name: str) -> dict[str, Any]:
    """Parse YAML in UTF-8.

    Args:
        content: bytes of the file.
        name: name of the file in error messages.

    Raises:
        InputError: the content is too large, is not valid YAML, or is not a mapping.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 1000} kB: it is no file of settings")
    # The loader that DVC uses for params.yaml (YAML 1.2: 6e-4 is a number), so that both agree.
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _NamingConstructor
    try:
        values = yaml.load(content.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is not valid YAML: {_one_line(error)}") from None
    except RecursionError:
        raise InputError(f"{name} is not valid YAML: its values are nested too deeply") from None
    if not isinstance(values, dict):
        raise InputError(f"{name} must contain a mapping of sections")
    return values


class _NamingConstructor(SafeConstructor):
    """Says the line of a value that cannot be converted, such as `2001-99-99` or `!!int abc`."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Convert a node as the base class does.

        Raises:
            MarkedYAMLError: the base class raises an exception that names no place.
        """
        try:
            return super().construct_object(node, deep)
        except (YAMLError, RecursionError):
            raise
        # On a value that does not suit its tag, ruamel.yaml raises whatever Python does.
        except Exception as error:
            raise MarkedYAMLError(
                problem=f"a value is impossible: {error}", problem_mark=node.start_mark
            ) from None


def _one_line(error: Exception) -> str:
    """The problem and its line, without ruamel.yaml's excerpts and advice."""
    text = str(error)
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        text = f"line {error.problem_mark.line + 1}: {error.problem or error.context}"
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]} …"
