"""params.yaml has the form in which DVC writes it, so that an override changes one line of it."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from imports import ROOT
from ruamel.yaml import YAML
from small_repository import dvc, finished_repository, run

from captioning.experiments.revisions import flatten

OWN = ROOT / "params.yaml"
VALUES = flatten(YAML(typ="safe", pure=True).load(OWN.read_text(encoding="utf-8")))
SCALARS = [key for key, value in VALUES.items() if not isinstance(value, list)]


def changed_lines(before: str, after: str) -> list[str]:
    rows = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [row for row in list(rows)[2:] if not row.startswith("@@")]


def override(folder: Path, *overrides: str) -> list[str]:
    """The lines that change when `dvc exp run -S` writes the overrides."""
    path = folder / "params.yaml"
    shutil.copy(OWN, path)
    apply_overrides(path, list(overrides))
    return changed_lines(OWN.read_text(encoding="utf-8"), path.read_text(encoding="utf-8"))


def test_dvc_writes_the_file_as_it_is(tmp_path):
    assert override(tmp_path, "dataset=scenes") == []


def test_overrides_one_after_the_other_keep_all_comments(tmp_path):
    path = tmp_path / "params.yaml"
    shutil.copy(OWN, path)
    for change in (
        "datasets.coco_captions.images=[/data/coco]",
        "datasets.coco_captions.images_md5=null",
        "datasets.karpathy.images=[/a,/b]",
        "datasets.karpathy.images_md5=[null,null]",
        "train.patience=null",
        "train.patience=3",
    ):
        apply_overrides(path, [change])
    diff = changed_lines(OWN.read_text(encoding="utf-8"), path.read_text(encoding="utf-8"))
    assert [line for line in diff if line.startswith("-") and "#" in line] == []
    changed = flatten(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    assert {key for key in VALUES if VALUES[key] != changed[key]} == {
        "datasets.coco_captions.images",
        "datasets.coco_captions.images_md5",
        "datasets.karpathy.images",
        "datasets.karpathy.images_md5",
        "train.patience",
    }


def other(value: Any) -> str:
    if isinstance(value, bool):
        return str(not value).lower()
    return "3" if value != 3 else "4"


@pytest.mark.slow
@pytest.mark.parametrize("key", SCALARS)
def test_an_override_of_one_key_changes_the_line_of_that_key(tmp_path, key):
    diff = override(tmp_path, f"{key}={other(VALUES[key])}")
    removed = [line[1:].strip() for line in diff if line[0] == "-"]
    added = [line[1:].partition(" # ")[0].strip() for line in diff if line[0] == "+"]
    name = key.rpartition(".")[2]
    assert removed[0].startswith(f"{name}:") and added == [f"{name}: {other(VALUES[key])}"]
    # A long URL is in a line of its own, below its key.
    assert len(removed) == 1 or removed[1:] == [VALUES[key]]


def test_an_override_with_null_or_a_list_changes_the_lines_of_that_key(tmp_path):
    assert override(tmp_path, "train.patience=null") == ["-  patience: 4", "+  patience:"]
    assert override(tmp_path, "datasets.karpathy.images=[/a,/b]") == [
        "-    images: []",
        "+    images:",
        "+    - /a",
        "+    - /b",
    ]


@pytest.mark.slow
def test_an_experiment_with_one_override_is_a_diff_of_one_line(tmp_path):
    repository = finished_repository(tmp_path)
    shutil.copy(OWN, repository / "params.yaml")
    dvc(repository, "commit", "--force", "--quiet")
    run(repository, "git", "add", "-A")
    run(repository, "git", "commit", "-qm", "finished")
    # No stage reads the block of a dataset that is not chosen, so that nothing but `check` is run.
    output = dvc(repository, "exp", "run", "-S", "datasets.coco_captions.train_images=5000")
    assert re.findall(r"Running stage '(\w+)'", output) == ["check"]
    diff = run(repository, "git", "diff", "-U0", "params.yaml").splitlines()
    assert [line for line in diff if line.startswith(("+ ", "- "))] == [
        "-    train_images:",
        "+    train_images: 5000",
    ]
    assert run(repository, "git", "diff", "--numstat", "params.yaml").split()[:2] == ["1", "1"]
