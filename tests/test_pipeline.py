"""dvc.yaml says what the stages really import, and agrees with scripts and params."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from imports import ROOT, project_files
from ruamel.yaml import YAML

from captioning.params import Params, load_params
from captioning.revisions import flatten


def load(name: str):
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


STAGES = load("dvc.yaml")["stages"]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_exactly_the_project_files_that_the_stage_imports(stage):
    imported = project_files(ROOT / "stages" / f"{stage}.py")
    declared = {dep for dep in STAGES[stage]["deps"] if not dep.startswith(("data/", "${"))}
    assert declared == imported, (
        f"{stage}: add {sorted(imported - declared)}, remove {sorted(declared - imported)}"
    )


def test_every_stage_has_a_script_a_description_and_its_own_figures():
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"_environment"}
    assert scripts == set(STAGES)
    for name, stage in STAGES.items():
        assert stage["cmd"] == f"python stages/{name}.py"
        assert stage["desc"]
        assert [list(metric) for metric in stage["metrics"]] == [[f"metrics/{name}.json"]]


def test_every_data_dependency_is_some_stage_output():
    outs = {out for stage in STAGES.values() for out in stage["outs"]}
    for name, stage in STAGES.items():
        needed = {dep for dep in stage["deps"] if dep.startswith("data/")}
        assert needed <= outs, name


def test_download_depends_on_the_users_own_pictures_which_are_there_by_default():
    assert "${datasets.folder.path}" in STAGES["download"]["deps"]
    interpolated = {dep for stage in STAGES.values() for dep in stage["deps"] if "${" in dep}
    assert interpolated == {"${datasets.folder.path}"}
    default = load("params.yaml")["datasets"]["folder"]["path"]
    ignored = ["git", "check-ignore", "--quiet", default]
    assert subprocess.run(ignored, cwd=ROOT, check=False).returncode == 1
    assert (ROOT / default).is_dir()


def test_every_param_belongs_to_a_stage():
    declared = {param.split(".")[0] for stage in STAGES.values() for param in stage["params"]}
    assert declared == set(Params.model_fields)


def documented_keys() -> dict[str, list[str]]:
    """Every key in the README's table of settings, with the stages that it re-runs."""
    table: dict[str, list[str]] = {}
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or not set(cells[2].split(", ")) <= set(STAGES):
            continue
        names = re.findall(r"`([^`]+)`", cells[0])
        prefix = names.pop(0) if names[0].endswith(".") else ""
        table |= {prefix + name: cells[2].split(", ") for name in names}
    return table


def test_the_readme_names_every_setting_with_the_stages_it_re_runs():
    table = documented_keys()
    assert sorted(table) == sorted(flatten(load("params.yaml")))
    for key, re_run in table.items():
        assert re_run == affected_by(key), key


def affected_by(key: str) -> list[str]:
    """The stages that read `key`, by dvc.yaml, and those that stand on their outputs."""
    dataset = key.split(".")[1] if "." in key else ""
    return with_dependents(
        [
            name
            for name, stage in STAGES.items()
            if is_in(key, [param.replace("${dataset}", dataset) for param in stage["params"]])
            or f"${{{key}}}" in stage["deps"]
        ]
    )


def is_in(key: str, declared: list[str]) -> bool:
    """Whether a setting is one of these keys, or in one of these sections."""
    return any(key == name or key.startswith(f"{name}.") for name in declared)


def with_dependents(stages: list[str]) -> list[str]:
    """These stages and those that read, directly or not, what they write; as in dvc.yaml."""
    found: list[str] = []
    for name, stage in STAGES.items():
        outs = {out for other in found for out in STAGES[other]["outs"]}
        if name in stages or outs & set(stage["deps"]):
            found.append(name)
    return found


def test_every_key_of_params_yaml_has_a_comment():
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    assert load_params(ROOT / "params.yaml")
    for number, line in enumerate(lines):
        key = line.strip().split(":")[0]
        is_leaf = line.strip() and not line.strip().startswith("#") and not line.endswith(":")
        if is_leaf:
            above = next(row for row in reversed(lines[:number]) if row.strip())
            assert above.strip().startswith("#"), f"params.yaml line {number + 1}: {key}"


def test_no_output_switches_the_run_cache_off():
    for name, stage in STAGES.items():
        assert not stage.get("always_changed"), name
        for out in stage["outs"]:
            assert isinstance(out, str), f"{name}: a plain out needs no options"


def test_the_project_speaks_of_no_absolute_path():
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        text = Path(path).read_text(encoding="utf-8")
        assert "/home/" not in text and "/work/" not in text, path
