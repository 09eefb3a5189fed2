"""Projects whose reports several files of tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from experiments import inside
from report_project import write_scenes_project

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
