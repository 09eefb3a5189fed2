"""Clears what a killed DVC leaves in its run cache, before DVC meets it.

DVC's run cache has a folder for each command with its inputs, and in it one file for each result.
DVC creates the folder first, then a temporary file, which it renames at the end. Killed in between,
it leaves an empty folder or a temporary file. DVC 3 looks for the newest file of the folder without
asking whether there is one, and fails: "join() argument must be str, bytes, or os.PathLike object,
not 'NoneType'". Where the newest file is damaged, DVC deletes it, which may leave the folder empty.
"""

from __future__ import annotations

import re
from pathlib import Path

from ruamel.yaml import YAML

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError, opening

_RESULT_NAME = re.compile(r"[0-9a-f]{64}")


def clear_run_cache() -> list[tuple[Path, str]]:
    """Remove damaged entries of the run cache of the repository that contains the current folder.

    Returns:
        Each removed file or folder, with the reason.

    Raises:
        InputError: this folder is in no DVC repository, or another DVC process is running.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        # With the lock, no other process is just writing an entry.
        with Repo() as repo, repo.lock:
            return _clear(Path(repo.stage_cache.cache_dir))
    except NotDvcRepoError:
        raise InputError(
            "this folder is not in a DVC repository: run the command in the project's folder"
        ) from None
    except LockError:
        raise InputError("another DVC process is running: try again when it has ended") from None


def _clear(runs: Path) -> list[tuple[Path, str]]:
    removed = []
    for folder in sorted(path for path in runs.glob("*/*") if path.is_dir()):
        for file in sorted(folder.iterdir()):
            if reason := _problem(file):
                file.unlink()
                removed.append((file, reason))
        if not any(folder.iterdir()):
            folder.rmdir()
            removed.append((folder, "empty"))
    return removed


def _problem(file: Path) -> str | None:
    """Why a file of the run cache is not a result; None if it is one."""
    if not _RESULT_NAME.fullmatch(file.name):
        return "not completely written"
    try:
        with opening(file):
            content = YAML(typ="safe", pure=True).load(file)
            if not content["cmd"] or not content["outs"]:
                raise ValueError
    except DamagedError:
        return "damaged"
    return None
