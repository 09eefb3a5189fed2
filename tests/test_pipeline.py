"""dvc.yaml says what the stages really import, and agrees with scripts and params."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import ROOT, project_files
from ruamel.yaml import YAML

from captioning.params import Params, load_params


def load(name: str):
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


STAGES = load("dvc.yaml")["stages"]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_exactly_the_project_files_that_the_stage_imports(stage):
    imported = project_files(ROOT / "stages" / f"{stage}.py")
    declared = {dep for dep in STAGES[stage]["deps"] if not dep.startswith("data/")}
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


def test_every_param_belongs_to_a_stage():
    declared = {param.split(".")[0] for stage in STAGES.values() for param in stage["params"]}
    assert declared == set(Params.model_fields)


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
