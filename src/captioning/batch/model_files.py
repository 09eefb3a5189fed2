"""The files of a trained model: whether they are there, without loading them, and their checksums.

TensorFlow is not imported here.
"""

from __future__ import annotations

from pathlib import Path

from captioning.core.errors import InputError
from captioning.core.files import sha256


def model_files(folder: Path | str) -> list[Path]:
    """Paths of a model's files, sorted.

    Raises:
        InputError: the folder is missing or empty.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(
            f"there is no trained model in {folder}: give its folder with --model, or train one "
            "with `dvc repro`"
        )
    files = sorted(file for file in path.iterdir() if file.is_file())
    if not files:
        raise InputError(
            f"{folder} is empty: give the folder of a trained model with --model, or restore this "
            "one with `dvc checkout`"
        )
    return files


def checksums(folder: Path | str) -> dict[str, str]:
    """SHA-256 of each of a model's files, by name.

    Raises:
        InputError: see `model_files`.
    """
    return {path.name: sha256(path) for path in model_files(folder)}
