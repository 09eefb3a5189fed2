"""Unfinished work that outlives a killed process, outside of what DVC tracks.

A stage's scratch folder carries a fingerprint of everything that determines the stage's result:
its params, its inputs, the project's code and the libraries that compute. State of another
fingerprint is removed, never picked up; so a stage holds one at most.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from captioning.core.errors import InputError
from captioning.core.files import SCRATCH, sha256

_CODE = Path(__file__).parents[1]
# Every library that decodes, computes, writes or scores what a stage leaves behind.
_LIBRARIES = (
    "keras",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "pycocoevalcap",
    "sacrebleu",
    "sentencepiece",
    "tensorflow",
)


def fingerprint(settings: Mapping[str, Any], inputs: Sequence[Path | str]) -> str:
    """SHA-256 of settings, input files, the package's code and the libraries' versions.

    Args:
        settings: JSON-serialisable.
        inputs: files; of sharded records the index, which holds the shards' checksums.

    Raises:
        InputError: an input is missing.
    """
    digests = {}
    for path in map(Path, inputs):
        if not path.is_file():
            raise InputError(f"{path} is missing: run `dvc repro`")
        digests[path.as_posix()] = sha256(path)
    code = {
        path.relative_to(_CODE).as_posix(): sha256(path) for path in sorted(_CODE.rglob("*.py"))
    }
    all_of_it = json.dumps([settings, digests, code, library_versions()], sort_keys=True)
    return hashlib.sha256(all_of_it.encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that determine the bytes of results."""
    return {name: version(name) for name in _LIBRARIES}


@contextmanager
def scratch_folder(
    stage: str, settings: Mapping[str, Any], inputs: Sequence[Path | str]
) -> Iterator[Path]:
    """Yield the folder in which an earlier run of the same work left what it had finished.

    It is removed when the block ends well, and stays when it raises or the process is killed.

    Args:
        stage: whose work it is.
        settings, inputs: see `fingerprint`.
    """
    mark = fingerprint(settings, inputs)[:16]
    folder = SCRATCH / stage / mark
    if folder.parent.is_dir():
        for other in folder.parent.iterdir():
            if other.name != mark:
                shutil.rmtree(other)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)
