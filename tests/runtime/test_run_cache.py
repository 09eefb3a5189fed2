"""What a killed DVC leaves in its run cache is removed, and DVC then works; real repositories."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from small_repository import dvc, run

from captioning.cli.main import main
from captioning.core.errors import InputError
from captioning.runtime.run_cache import clear_run_cache

STAGE = """\
stages:
  copy:
    cmd: cp source data
    deps: [source]
    outs: [data]
"""
FAILURE = "join() argument must be str"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A repository with one stage that has run."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder, "git", "init", "-q")
    dvc(folder, "init", "-q")
    (folder / "source").write_text("one")
    (folder / "dvc.yaml").write_text(STAGE)
    dvc(folder, "repro")
    return folder


@pytest.fixture
def repository(finished, tmp_path, monkeypatch) -> Path:
    """A copy of it, in which the test runs."""
    folder = shutil.copytree(finished, tmp_path / "repository", symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def entries(repository: Path) -> list[Path]:
    return sorted(p for p in (repository / ".dvc/cache/runs").rglob("*") if p.is_file())


@pytest.mark.slow
def test_an_empty_folder_makes_dvc_fail_until_it_is_removed(repository):
    (entry,) = entries(repository)
    entry.unlink()
    (repository / "dvc.lock").unlink()
    # The fault that this is about: if DVC mends it, the doctor may go.
    assert FAILURE in dvc(repository, "repro", ok=False)
    assert clear_run_cache() == [(entry.parent, "empty")]
    assert "Running stage" in dvc(repository, "repro")
    assert entries(repository) == [entry]
    assert clear_run_cache() == []


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "cmd: [", "outs: []", "- 1"])
def test_a_damaged_entry_is_removed_with_its_folder(repository, content):
    (entry,) = entries(repository)
    entry.write_text(content)
    (repository / "dvc.lock").unlink()
    assert clear_run_cache() == [(entry, "damaged"), (entry.parent, "empty")]
    assert "Running stage" in dvc(repository, "repro")


@pytest.mark.slow
def test_a_temporary_file_is_removed_and_the_result_beside_it_is_used(repository):
    (entry,) = entries(repository)
    time.sleep(0.01)
    temporary = entry.with_name(".bK4AmmvM3wOj29uny81TDw.tmp")
    shutil.copyfile(entry, temporary)
    (repository / "dvc.lock").unlink()
    assert clear_run_cache() == [(temporary, "not completely written")]
    assert "is cached - skipping run" in dvc(repository, "repro")


@pytest.mark.slow
def test_the_doctor_says_what_it_removed_and_checks_the_params(repository, capsys):
    (entry,) = entries(repository)
    shutil.copy(Path(__file__).parents[2] / "params.yaml", "params.yaml")
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "nothing to repair; params.yaml has no problem\n"
    entry.unlink()
    assert main(["doctor", "--quiet"]) == 0
    assert capsys.readouterr().out == f"removed from DVC's run cache: {entry.parent} (empty)\n"
    assert main(["doctor", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("  epochs: 7", "  epochs: -1"))
    assert main(["doctor"]) == 1
    assert "train.epochs" in capsys.readouterr().err
    assert (repository / "data").read_text() == "one"


@pytest.mark.slow
def test_a_running_dvc_is_left_alone(repository):
    from dvc.repo import Repo

    with Repo() as other, other.lock, pytest.raises(InputError, match="another DVC process"):
        clear_run_cache()


def test_a_folder_that_is_no_repository_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not in a DVC repository"):
        clear_run_cache()
