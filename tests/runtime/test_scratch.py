"""Scratch folders are found again only by the same work."""

from __future__ import annotations

import hashlib
import io
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.runtime import scratch
from captioning.runtime.scratch import fingerprint, scratch_folder
from captioning.stage import main as stage
from captioning.stage.finished_work import remove_recorded_work


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
        return sorted(path.name for path in folder.iterdir())


def test_unfinished_work_is_found_by_the_same_work():
    leave_unfinished({"units": 8})
    assert found({"units": 8}) == ["part"]


def end(settings, bleu: float = 0.5) -> Path:
    """End the stage, with figures; returns its scratch folder."""
    with scratch_folder("train", settings, ["input"]) as folder:
        (folder / "part").write_text("whole")
        write_json("metrics/train.json", {"bleu": bleu})
    return folder


def record(figures: bytes | None = None) -> None:
    """Write dvc.lock as DVC does once it has cached the outputs."""
    time.sleep(0.01)
    content = Path("metrics/train.json").read_bytes() if figures is None else figures
    outs = [
        {"path": "data/model", "md5": "0" * 32 + ".dir"},
        {"path": "metrics/train.json", "hash": "md5", "md5": hashlib.md5(content).hexdigest()},
    ]
    Path("dvc.lock").write_text(yaml_text({"schema": "2.0", "stages": {"train": {"outs": outs}}}))


def yaml_text(value) -> str:
    stream = io.StringIO()
    YAML().dump(value, stream)
    return stream.getvalue()


def test_ended_work_stays_until_dvc_has_recorded_it():
    folder = end({"units": 8})
    assert remove_recorded_work() == [] and folder.is_dir()
    # Killed while DVC computed checksums: the stage runs again, and finds what it had.
    assert found({"units": 8}) == ["ended.json", "part"]
    end({"units": 8})
    record()
    assert remove_recorded_work() == [folder] and not folder.exists()


def test_a_stage_that_is_done_starts_anew_when_it_is_forced_to_run_again():
    end({"units": 8})
    record()
    assert found({"units": 8}) == []


def test_an_older_lock_or_one_of_another_run_records_nothing():
    write_json("metrics/train.json", {"bleu": 0.5})
    record()
    folder = end({"units": 8})
    assert remove_recorded_work() == []
    record(b"other figures")
    assert remove_recorded_work() == [] and folder.is_dir()


@pytest.mark.parametrize("lock", ["", "[", "stages: 3", "stages: {train: {}}", "schema: '2.0'"])
def test_a_lock_that_cannot_be_read_records_nothing(lock):
    folder = end({"units": 8})
    time.sleep(0.01)
    Path("dvc.lock").write_text(lock)
    assert remove_recorded_work() == [] and folder.is_dir()


def test_every_stage_removes_what_was_recorded_of_others(monkeypatch):
    folder = end({"units": 8})
    record()
    monkeypatch.setattr(stage, "load_params", lambda: None)
    stage.stage_main(lambda _: None)
    assert not folder.exists()


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
