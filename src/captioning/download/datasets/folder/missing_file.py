"""Say why a path in a caption file is not that of a file in the folder."""

from __future__ import annotations

import os
from pathlib import Path

from captioning.download.datasets.folder.rows import shortened


def detour(root: Path, name: str, base: str) -> str:
    """What is wrong with a path that is absolute or begins with `..`; it may lead back.

    Args:
        root: the folder.
        name: the path, relative to `root` if it is not absolute.
        base: folder of the caption file, relative to `root`.
    """
    target = os.path.normpath(root.absolute() / name)
    for folder in (os.path.normpath(root.absolute()), os.path.realpath(root)):
        if target.startswith(f"{folder}/"):
            inside = shortened(os.path.relpath(target, os.path.join(folder, base)))  # noqa: PTH118
            return f"depends on where the folder is: write {inside}, relative to the caption file"
    return "leads outside the folder"


def other_than_a_file(root: Path, name: str) -> str | None:
    """What a name refers to if something is there, but no file that counts; else None.

    Args:
        root: the folder.
        name: the name, relative to `root`.
    """
    path = root / name
    try:
        links = [place for place in path.parents if root in place.parents and place.is_symlink()]
        if links:
            link = links[-1].relative_to(root).as_posix()
            return (
                f"{shortened(name)} is in a linked folder, and DVC would not notice changes in it: "
                f"replace the link {shortened(link)} by the folder itself"
            )
        if path.is_dir():
            return f"{shortened(name)} is a folder"
        if path.is_symlink() and not path.exists():
            return f"{shortened(name)} is a link to a file that does not exist"
        return f"{shortened(name)} is not a regular file" if path.exists() else None
    except (OSError, ValueError):  # The name is too long or contains a NUL character.
        return None
