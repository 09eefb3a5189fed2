"""A card gets the figures of a pipeline only if they were computed with this very model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from captioning.core.files import md5
from captioning.export.figures import (
    evaluated_figures,
    git_commit,
    pipeline_of,
)

SCORES = {
    "bleu_4": {"value": 0.78, "low": 0.76, "high": 0.8},
    "cider_d": {"value": None, "low": None, "high": None},
    "signature": "BLEU tok:none",
}


def _git(folder: Path, *arguments: str) -> None:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *settings, *arguments], check=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A pipeline whose `dvc.lock` was written by DVC itself, after a stage `evaluate`."""
    (tmp_path / "data" / "model" / "more").mkdir(parents=True)
    (tmp_path / "data" / "model" / "decoder.keras").write_bytes(b"weights")
    (tmp_path / "data" / "model" / "more" / "vocabulary.txt").write_bytes(b"a\nb\n")
    (tmp_path / "given.json").write_text(json.dumps(SCORES))
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  evaluate:\n    cmd: cp given.json data/scores.json\n"
        "    deps: [data/model, given.json]\n    outs: [data/scores.json]\n"
    )
    _git(tmp_path, "init", "--quiet")
    for command in (["init", "--quiet"], ["repro", "--quiet"]):
        subprocess.run(["dvc", *command], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.slow
def test_figures_of_the_evaluated_model_are_found(root: Path) -> None:
    assert pipeline_of(root / "data" / "model") == root
    figures = evaluated_figures(root)
    assert figures is not None and figures.signature == "BLEU tok:none"
    # CIDEr-D is not defined here.
    assert [(one.name, one.value, one.interval) for one in figures.metrics] == [
        ("BLEU-4", 0.78, (0.76, 0.8))
    ]
    (root / "data" / "model" / "decoder.keras").write_bytes(b"other weights")
    assert evaluated_figures(root) is None


@pytest.mark.slow
def test_edited_scores_are_not_believed(root: Path) -> None:
    scores = root / "data" / "scores.json"
    before = md5(scores)
    text = scores.read_text().replace("0.78", "0.98")
    scores.unlink()
    scores.write_text(text)
    assert md5(scores) != before
    assert evaluated_figures(root) is None


def test_a_folder_elsewhere_belongs_to_no_pipeline(tmp_path: Path) -> None:
    (tmp_path / "data" / "model").mkdir(parents=True)
    assert pipeline_of(tmp_path / "data" / "model") is None
    (tmp_path / "dvc.lock").touch()
    assert pipeline_of(tmp_path / "data" / "model") == tmp_path
    assert pipeline_of(tmp_path / "data") is None


def test_the_commit_says_if_tracked_files_were_changed(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    (tmp_path / "file").write_text("a")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", "file")
    _git(tmp_path, "commit", "--quiet", "--message", "one")
    commit = git_commit(tmp_path)
    assert commit is not None and len(commit) == 40
    (tmp_path / "untracked").touch()
    assert git_commit(tmp_path) == commit
    (tmp_path / "file").write_text("b")
    assert git_commit(tmp_path) == f"{commit}-dirty"
