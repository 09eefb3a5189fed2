"""Opens what a stage or an interrupted run left on disk; damage is reported in one line.

Libraries raise almost any exception for a file that was cut off or altered. Every file of the
pipeline is therefore opened inside `opening`. JSON files that say what other files contain carry a
checksum of themselves: `write_sealed_json` and `read_sealed_json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from captioning.core.errors import InputError
from captioning.core.files import write_json

_SEAL = "checksum"
_REASON_LENGTH = 200


class DamagedError(InputError):
    """A file whose content is not what was written to it.

    Args:
        path: the file.
        reason: what is wrong with it.
        advice: what to do; None means to restore the file's folder with DVC.
    """

    def __init__(self, path: Path | str, reason: str, advice: str | None = None) -> None:
        if advice is None:
            # DVC restores a missing file without asking, and one that it has not found changed.
            advice = f"delete it and {restoring(Path(path).parent)}"
        super().__init__(f"{path} is damaged ({reason}): {advice}")


def restoring(output: Path | str) -> str:
    """The advice to restore missing files of a stage's output from DVC's cache."""
    return f"run `dvc checkout {Path(output).as_posix()}`"


@contextmanager
def opening(path: Path | str, advice: str | None = None) -> Iterator[None]:
    """Turn whatever is raised for the content of a file into a `DamagedError`.

    Args:
        path: the file that the block reads and checks.
        advice: see `DamagedError`.

    Raises:
        DamagedError: the block raised an exception other than an `InputError`.
        InputError: the file is missing, must not be read, or needs too much memory.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        advice = advice or restoring(Path(path).parent)
        raise InputError(f"{path} is missing: {advice}") from None
    except (PermissionError, IsADirectoryError) as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except Exception as error:
        if not is_out_of_memory(error):
            raise DamagedError(path, _reason(error), advice) from error
        advice = advice or f"delete it and {restoring(Path(path).parent)}"
        raise InputError(
            f"{path} needs more memory than there is; if it should not, it is damaged: {advice}"
        ) from None


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python, NumPy or TensorFlow could not allocate memory."""
    # TensorFlow's exception by its name: this module must not import TensorFlow.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def write_sealed_json(path: Path | str, value: Mapping[str, Any]) -> None:
    """Write a mapping as `write_json` does, with a checksum of its content."""
    write_json(path, {**value, _SEAL: _checksum(value)})


def read_sealed_json(path: Path | str, *, required: bool = True) -> dict[str, Any]:
    """Read a file that `write_sealed_json` wrote.

    Args:
        path: the file.
        required: whether a file without a checksum is refused.

    Raises:
        DamagedError: the file is not JSON, or does not agree with its checksum.
        InputError: the file is missing or must not be read.
    """
    with opening(path):
        return parse_sealed_json(Path(path).read_bytes(), required=required)


def parse_sealed_json(content: bytes, *, required: bool = True) -> dict[str, Any]:
    """The mapping in the content of a file; see `read_sealed_json`.

    Raises:
        ValueError: the content is not such a mapping in UTF-8, or does not agree with its checksum.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(content)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    found = value.pop(_SEAL, None)
    if (required or found is not None) and found != _checksum(value):
        raise ValueError("it does not agree with its checksum")
    return value


def _checksum(value: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping's JSON, which does not depend on the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _reason(error: Exception) -> str:
    """The first line of an exception's message, or its type."""
    lines = str(error).strip().splitlines()
    first = lines[0].rstrip(":. ") if lines else ""
    return first[:_REASON_LENGTH] or type(error).__name__
