"""dvc.yaml says what the stages really import, and agrees with scripts and params."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from imports import REFUSES_ONLY, ROOT, as_rooms, expanded, result_files
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from stage_definitions import (
    ALL_STAGES,
    STAGES,
    affected_by,
    code_deps,
    documented_keys,
    is_in,
    load,
    with_dependents,
)

from captioning.experiments.revisions import flatten
from captioning.params.stages import Params


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_exactly_the_code_that_the_stage_imports_by_rooms(stage):
    imported = result_files(ROOT / "stages" / f"{stage}.py")
    declared = code_deps(stage)
    assert sorted(expanded(declared)) == sorted(imported), f"{stage} needs {as_rooms(imported)}"
    assert declared == as_rooms(imported), f"{stage} needs {as_rooms(imported)}"


def test_no_stage_depends_on_what_can_only_refuse_params():
    for stage in STAGES:
        files = expanded(code_deps(stage))
        assert files and not [name for name in files if name.startswith(REFUSES_ONLY)]


def test_the_check_of_params_depends_on_the_schema_and_stands_before_all_other_stages():
    deps = code_deps("check")
    assert REFUSES_ONLY.rstrip("/") in deps
    # It takes a second, so that its deps are whole rooms, even where it needs half of one.
    assert result_files(ROOT / "stages" / "check.py") <= set(expanded(deps))
    assert "params.yaml" in ALL_STAGES["check"]["deps"]
    assert ALL_STAGES["check"]["outs"] == ["data/checked.txt"]
    assert "data/checked.txt" in STAGES["download"]["deps"]
    assert with_dependents(["download"]) == list(STAGES)


def test_every_stage_has_a_script_a_description_and_its_own_figures():
    scripts = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"_environment"}
    assert scripts == set(ALL_STAGES)
    for name, stage in STAGES.items():
        assert stage["cmd"] == f"python stages/{name}.py"
        assert stage["desc"]
        assert [list(metric) for metric in stage["metrics"]] == [[f"metrics/{name}.json"]]


def test_every_data_dependency_is_some_stage_output():
    outs = {out for stage in ALL_STAGES.values() for out in stage["outs"]}
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
    values = load("params.yaml")
    keys = flatten(values)
    assert {key.split(".")[0] for key in keys} == set(Params.model_fields)
    declared = {
        param.replace("${dataset}", dataset)
        for stage in STAGES.values()
        for param in stage["params"]
        for dataset in values["datasets"]
    }
    assert [key for key in keys if not is_in(key, [*declared])] == [], "keys that no stage reads"
    unknown = [name for name in declared if not any(is_in(key, [name]) for key in keys)]
    assert unknown == [], "dvc.yaml declares keys that params.yaml lacks"


def test_docs_settings_lists_every_setting_with_the_stages_it_re_runs():
    table = documented_keys()
    assert sorted(table) == sorted(flatten(load("params.yaml")))
    for key, re_run in table.items():
        assert re_run == affected_by(key), key


def test_every_key_of_params_yaml_has_a_comment():
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()

    def check(section: CommentedMap) -> None:
        for key, value in section.items():
            line = section.lc.key(key)[0]
            if isinstance(value, CommentedMap):
                assert lines[line + 1].strip().startswith("#"), f"params.yaml line {line + 2}"
                check(value)
            elif " # " not in lines[line]:
                assert lines[line - 1].strip().startswith("#"), f"params.yaml line {line + 1}"

    check(YAML().load(text))


def test_no_output_switches_the_run_cache_off():
    for name, stage in STAGES.items():
        assert not stage.get("always_changed"), name
        for out in stage["outs"]:
            assert isinstance(out, str), f"{name}: a plain out needs no options"


def test_the_project_speaks_of_no_absolute_path():
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        text = Path(path).read_text(encoding="utf-8")
        assert "/home/" not in text and "/work/" not in text, path
