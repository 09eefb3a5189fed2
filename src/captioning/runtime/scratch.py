"""Keeps unfinished work of an interrupted stage, outside the files that DVC tracks.

The name of a stage's scratch folder is a fingerprint of everything that determines its result: its
params, its inputs, the project's code and the libraries that compute. A folder with another
fingerprint is removed and never used, so each stage has at most one.
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
from captioning.stage.finished_work import mark_ended, remove_recorded_work

_CODE = Path(__file__).parents[1]
# Every library that decodes, computes, writes or scores the results of a stage.
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
        settings: JSON-serializable settings that determine the result.
        inputs: input files; for sharded records the index, which holds the checksums of the shards.

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
    everything = json.dumps([settings, digests, code, library_versions()], sort_keys=True)
    return hashlib.sha256(everything.encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that determine the bytes of results."""
    return {name: version(name) for name in _LIBRARIES}


@contextmanager
def scratch_folder(
    stage: str, settings: Mapping[str, Any], inputs: Sequence[Path | str]
) -> Iterator[Path]:
    """Yield the folder that holds what an interrupted run of the same work had finished.

    The block writes all results of the stage. The folder stays after it, even if it succeeds, until
    DVC has recorded the results; see `finished_work`.

    Args:
        stage: name of the stage.
        settings, inputs: see `fingerprint`.
    """
    remove_recorded_work()
    name = fingerprint(settings, inputs)[:16]
    folder = SCRATCH / stage / name
    if folder.parent.is_dir():
        for other in folder.parent.iterdir():
            if other.name != name:
                shutil.rmtree(other)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    mark_ended(folder, stage)
