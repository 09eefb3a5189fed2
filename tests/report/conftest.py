"""Projects whose reports several files of tests look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from experiments import inside
from report_project import (
    commit_project,
    scene_predictions,
    write_results,
    write_scenes_project,
)

from captioning.cli.main import main


@pytest.fixture(scope="session")
def scenes_project(tmp_path_factory) -> Path:
    """A project with 30 test images; not to be changed."""
    return write_scenes_project(tmp_path_factory.mktemp("report") / "project")


@pytest.fixture(scope="session")
def scenes_report(scenes_project, tmp_path_factory) -> Path:
    """The report about its workspace."""
    path = tmp_path_factory.mktemp("pages") / "report.html"
    with inside(scenes_project):
        assert main(["report", "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def two_revisions(scenes_project, tmp_path_factory) -> Path:
    """Tag `half`: half of the captions are right; the workspace: a third."""
    root = tmp_path_factory.mktemp("revisions") / "project"
    shutil.copytree(scenes_project, root)
    commit_project(root, "half")
    write_results(root, scene_predictions(root / "data/raw", 3))
    return root


@pytest.fixture(scope="session")
def two_report(two_revisions, tmp_path_factory) -> Path:
    """The report about both."""
    path = tmp_path_factory.mktemp("pages") / "two.html"
    with inside(two_revisions):
        assert main(["report", "half", "workspace", "-o", str(path)]) == 0
    return path
