"""Brings files of a revision to this machine's file system, for readers that need paths."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException

from captioning.core.errors import InputError
from captioning.experiments.revisions import NOWHERE, Revision


@contextmanager
def local_files(revision: Revision, patterns: Sequence[str]) -> Iterator[Path]:
    """Yield a folder in which the files of a revision that match the patterns are.

    For the workspace it is the repository itself, in which files may be missing. For a commit it is
    a temporary folder, with copies from Git, from DVC's cache or from the remote.

    Args:
        revision: the revision.
        patterns: paths in the repository; the names of files may contain `*`.

    Raises:
        InputError: a pattern matches no file of the commit, or a file is found nowhere.
    """
    if revision.commit is None:
        yield revision.root
        return
    with tempfile.TemporaryDirectory() as name:
        git, _ = revision.git_place("")
        files = DVCFileSystem(repo=git, rev=revision.commit, subrepos=True)
        for pattern in patterns:
            try:
                _copy(files, revision, pattern, Path(name))
            except (DvcException, OSError) as error:
                raise InputError(f"{revision.place(pattern)} {NOWHERE} ({error})") from None
        yield Path(name)


@contextmanager
def naming_files_in(folder: Path) -> Iterator[None]:
    """Name files relative to a folder in the errors that the block raises.

    The same report must say the same wherever the repository is.
    """
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(f"{folder}/", "")) from None


def _copy(files: Any, revision: Revision, pattern: str, folder: Path) -> None:
    """Copy the files that match one pattern."""
    place = Path(revision.git_place(pattern)[1])
    found = [
        entry["name"]
        for entry in files.ls(place.parent.as_posix(), detail=True)
        if entry["type"] == "file" and Path(entry["name"]).match(place.name)
    ]
    if not found:
        raise FileNotFoundError(f"no {Path(pattern).name}")
    target = folder / Path(pattern).parent
    target.mkdir(parents=True, exist_ok=True)
    for source in found:
        files.get_file(source, str(target / Path(source).name))
