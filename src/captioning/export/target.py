"""The folder of an export, which is written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from captioning.core.errors import InputError

#: The file by which TensorFlow recognizes a SavedModel.
MODEL_FILE = "saved_model.pb"


def check_target(out: Path, model: Path, replace: bool) -> None:
    """Check that a folder may be created, or replaced.

    Raises:
        InputError: something is there that must not be replaced.
    """
    if out.resolve() == model.resolve() or model.resolve() in out.resolve().parents:
        raise InputError(f"{out} lies in the folder of the model: choose another one")
    if not (out.exists() or out.is_symlink()):
        return
    if not replace:
        raise InputError(f"{out} exists: choose another folder, or replace it with --force")
    if out.is_symlink() or not out.is_dir():
        raise InputError(f"{out} is not a folder: choose another one")
    if any(out.iterdir()) and not (out / MODEL_FILE).is_file():
        raise InputError(f"{out} contains no exported model, so --force does not replace it")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; when the block succeeds, it takes `target`'s place.

    If the block raises, the folder is removed, and what is at `target` stays.

    Raises:
        InputError: no folder can be created there.
    """
    unfinished, old = (target.with_name(f".{target.name}.{end}") for end in ("partial", "old"))
    try:
        for folder in (unfinished, old):
            if folder.exists():
                shutil.rmtree(folder)
        unfinished.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror})") from None
    try:
        yield unfinished
        if target.exists():
            target.rename(old)
        unfinished.rename(target)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for folder in (unfinished, old):
            shutil.rmtree(folder, ignore_errors=True)
