"""Revisions of a DVC project in a subfolder of its Git repository (`dvc init --subdir`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiments import cached, commit_first_run, experiment, git, run_dvc

from captioning.cli.main import main
from captioning.experiments.revisions import find_revision

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def subproject(tmp_path_factory) -> Path:
    """The root of the sub-project; its remote alone has the captions of HEAD."""
    folder = tmp_path_factory.mktemp("subproject")
    root = folder / "many/captions"
    root.mkdir(parents=True)
    git(folder / "many", "init", "--quiet", "--initial-branch", "main")
    for key, value in (("user.name", "t"), ("user.email", "t@example.org")):
        git(folder / "many", "config", key, value)
    run_dvc(root, "init", "--subdir")
    commit_first_run(root, folder / "remote")
    run_dvc(root, "push")
    cached(root).unlink()
    experiment(root, "worse", "model.error=0.8")
    return root


@pytest.mark.parametrize("place", ["", "data"])
def test_commits_and_experiments_of_a_subproject_are_read(subproject, monkeypatch, place):
    monkeypatch.chdir(subproject / place)
    for name, error in (("HEAD", 0.3), ("worse", 0.8), ("workspace", 0.8)):
        revision = find_revision(name)
        assert revision.params["model.error"] == error
        assert len(revision.predictions) == 40 and revision.figures["images"] == 40


@pytest.mark.usefixtures("fewer_exchanges")
def test_compare_and_gate_work_in_a_subproject(subproject, monkeypatch, capsys):
    monkeypatch.chdir(subproject)
    assert main(["compare", "HEAD", "worse"]) == 0
    assert "  model.error  0.3   0.8" in capsys.readouterr().out
    Path("gate.yaml").write_text("floors: {bleu_4: 0.3}\nlargest_significant_drop: {bleu_4: 0.1}")
    assert main(["gate", "HEAD", "--base", "HEAD"]) == 0
    assert main(["gate", "worse", "--base", "HEAD"]) == 1
    assert "a significant drop of more than 0.1" in capsys.readouterr().out
