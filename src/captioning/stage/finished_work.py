"""Removes the unfinished work of stages that are done, once DVC has recorded their results.

DVC deletes a stage's outputs before it runs the stage again. A stage that has ended is therefore
not done: if it is interrupted while DVC computes checksums and fills its cache, its outputs are
lost. Its scratch folder then still has everything, and stays until `dvc.lock` shows that DVC
finished.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ruamel.yaml import YAML

from captioning.core.errors import InputError
from captioning.core.files import SCRATCH, md5, read_json, write_json
from captioning.core.opening import opening

_MARK = "ended.json"
_LOCK = Path("dvc.lock")


def mark_ended(folder: Path, stage: str) -> None:
    """Note in a stage's scratch folder that the stage wrote all its results.

    Args:
        folder: the scratch folder.
        stage: name of the stage, whose figures are in metrics/<stage>.json.
    """
    figures = _figures(stage)
    write_json(folder / _MARK, {"figures_md5": md5(figures) if figures.is_file() else None})


def remove_recorded_work() -> list[Path]:
    """Remove the scratch folders of stages that DVC has recorded; return them."""
    removed = []
    for mark in sorted(SCRATCH.glob(f"*/*/{_MARK}")):
        folder = mark.parent
        if _is_recorded(folder.parent.name, mark):
            shutil.rmtree(folder)
            removed.append(folder)
    return removed


def _is_recorded(stage: str, mark: Path) -> bool:
    """Whether dvc.lock was written after the mark, and names the figures of the marked run."""
    if not _LOCK.is_file() or _LOCK.stat().st_mtime_ns <= mark.stat().st_mtime_ns:
        return False
    yaml = YAML(typ="safe", pure=True)
    try:
        with opening(mark):
            expected = read_json(mark)["figures_md5"]
            outputs = yaml.load(_LOCK)["stages"][stage]["outs"]
            sums = {output["path"]: output.get("md5") for output in outputs}
    except InputError:
        return False
    return expected is not None and sums.get(_figures(stage).as_posix()) == expected


def _figures(stage: str) -> Path:
    return Path("metrics") / f"{stage}.json"
