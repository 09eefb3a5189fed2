"""Scratch folders are found again only by the same work."""

from __future__ import annotations

import pytest

from captioning.core.errors import InputError
from captioning.runtime import scratch
from captioning.runtime.scratch import fingerprint, scratch_folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input").write_text("one")
    return tmp_path


def leave_unfinished(settings, name="part"):
    with pytest.raises(RuntimeError), scratch_folder("train", settings, ["input"]) as folder:
        (folder / name).write_text("half")
        raise RuntimeError


def found(settings) -> list[str]:
    with scratch_folder("train", settings, ["input"]) as folder:
        return [path.name for path in folder.iterdir()]


def test_unfinished_work_is_found_by_the_same_work():
    leave_unfinished({"units": 8})
    assert found({"units": 8}) == ["part"]


def test_finished_work_leaves_nothing(here):
    assert found({"units": 8}) == []
    assert list((here / ".scratch/train").iterdir()) == []


def test_another_setting_finds_nothing_and_removes_what_is_stale(here):
    leave_unfinished({"units": 8})
    assert found({"units": 16}) == []
    assert found({"units": 8}) == []


def test_another_input_finds_nothing(here):
    leave_unfinished({"units": 8})
    (here / "input").write_text("two")
    assert found({"units": 8}) == []


def test_the_code_and_the_libraries_are_part_of_the_fingerprint(tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a.py").write_text("x = 1")
    monkeypatch.setattr(scratch, "_CODE", tmp_path / "code")
    first = fingerprint({}, ["input"])
    assert fingerprint({}, ["input"]) == first
    (tmp_path / "code/a.py").write_text("x = 2")
    second = fingerprint({}, ["input"])
    monkeypatch.setattr(scratch, "version", lambda name: "0")
    assert len({first, second, fingerprint({}, ["input"])}) == 3


def test_a_missing_input_is_named():
    with pytest.raises(InputError, match="other is missing: run `dvc repro`"):
        fingerprint({}, ["other"])
