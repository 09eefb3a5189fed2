"""The figures and the origin of a model that lies in its pipeline's folder, for the model card."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from captioning.core.files import md5
from captioning.core.opening import opening
from captioning.model_card.card import Metric

_MODEL, _SCORES, _LOCK = "data/model", "data/scores.json", "dvc.lock"
_METRICS = {
    "bleu_1": ("BLEU-1", "bleu"),
    "bleu_2": ("BLEU-2", "bleu"),
    "bleu_3": ("BLEU-3", "bleu"),
    "bleu_4": ("BLEU-4", "bleu"),
    "rouge_l": ("ROUGE-L", "rouge"),
    "cider_d": ("CIDEr-D", "cider"),
}


class EvaluatedFigures(NamedTuple):
    """Figures of the test split.

    Attributes:
        metrics: the figures with their intervals.
        signature: how they were computed.
    """

    metrics: list[Metric]
    signature: str | None


def pipeline_of(model: Path | str) -> Path | None:
    """The folder of the pipeline whose `data/model` a folder is; None if it is none."""
    folder = Path(model).resolve()
    root = folder.parent.parent
    return root if folder == root / _MODEL and (root / _LOCK).is_file() else None


def evaluated_figures(root: Path) -> EvaluatedFigures | None:
    """The figures of a pipeline's model; None if the model was not evaluated as it is now.

    `dvc.lock` holds the checksums of the model that was evaluated and of its scores. If one of them
    has changed since, the figures may be those of another model.

    Raises:
        InputError: `dvc.lock` or the scores cannot be read.
    """
    with opening(root / _LOCK, "run `dvc repro`"):
        lock = YAML(typ="safe").load((root / _LOCK).read_bytes())
        stage = lock["stages"].get("evaluate", {"deps": [], "outs": []})
        evaluated = {entry["path"]: entry["md5"] for entry in stage["deps"] + stage["outs"]}
    scores = root / _SCORES
    if not scores.is_file() or evaluated.get(_SCORES) != md5(scores):
        return None
    if evaluated.get(_MODEL) != _folder_md5(root / _MODEL):
        return None
    with opening(scores):
        return _figures(json.loads(scores.read_bytes()))


def git_commit(root: Path) -> str | None:
    """The commit that is checked out, followed by `-dirty` if tracked files differ from it.

    None if the folder is in no Git repository, or Git is not installed.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if commit and changes else commit


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _figures(scores: dict[str, Any]) -> EvaluatedFigures:
    """The figures in `data/scores.json`; those that are not defined are left out."""
    metrics = [
        Metric(name, kind, scores[key]["value"], (scores[key]["low"], scores[key]["high"]))
        for key, (name, kind) in _METRICS.items()
        if scores.get(key) and None not in scores[key].values()
    ]
    return EvaluatedFigures(metrics, scores.get("signature"))


def _folder_md5(folder: Path) -> str:
    """DVC's checksum of a folder: that of the list of its files and their checksums."""
    files = sorted(
        (path.relative_to(folder) for path in folder.rglob("*") if path.is_file()),
        key=lambda path: path.parts,
    )
    listed = [{"md5": md5(folder / path), "relpath": path.as_posix()} for path in files]
    return (
        hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        + ".dir"
    )
