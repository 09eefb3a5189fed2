"""What a change re-runs: every setting and every source file, in a real repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest
from dvc.repo import Repo
from imports import ROOT, changes_results, result_files
from ruamel.yaml import YAML
from small_repository import DATASET, finished_repository, set_params
from stage_definitions import STAGES, code_deps, documented_keys, load, with_dependents

from captioning.experiments.revisions import flatten

KEYS = list(flatten(load("params.yaml")))
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("src/captioning", "stages")
    for path in (ROOT / folder).rglob("*.py")
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Looks finished to DVC: every output is there and in dvc.lock."""
    return finished_repository(tmp_path_factory.mktemp("repository"))


def would_run(folder: Path) -> list[str]:
    """Stages that DVC finds changed, and those that stand on them."""
    with Repo(str(folder)) as repo:
        changed = {address.split(":")[-1] for address in repo.status()}
        graph = repo.index.graph
    # An edge leads from a stage to what it depends on.
    for stage in graph:
        if stage.name in changed:
            changed |= {other.name for other in nx.ancestors(graph, stage)}
    return [name for name in STAGES if name in changed]


def another(value: object) -> object:
    """A value of the same kind that differs; DVC alone will read it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return 1 if value is None else f"{value}x"


def test_nothing_is_run_without_a_change(repository):
    assert would_run(repository) == []


@pytest.fixture
def params(repository) -> Iterator[Path]:
    path = repository / "params.yaml"
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


@pytest.mark.parametrize("key", KEYS)
def test_a_setting_re_runs_the_stages_that_docs_settings_lists(repository, params, key):
    value = flatten(YAML(typ="safe").load(params))[key]
    set_params(repository, {key: "flickr8k" if key == "dataset" else another(value)})
    chosen = not key.startswith("datasets.") or key.startswith(f"datasets.{DATASET}.")
    chosen |= any(f"${{{key}}}" in stage["deps"] for stage in STAGES.values())
    assert would_run(repository) == (documented_keys()[key] if chosen else [])


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_file_re_runs_the_stages_that_import_it(repository, source):
    path = repository / source
    before = path.read_bytes()
    path.write_bytes(before + b"\n# changed\n")
    importing = [n for n in STAGES if source in result_files(ROOT / "stages" / f"{n}.py")]
    if not changes_results(ROOT / source):
        # A docstring alone: it re-runs the stages that depend on its whole folder.
        importing = [n for n in STAGES if any(d in source for d in folders(code_deps(n)))]
    try:
        found = would_run(repository)
    finally:
        path.write_bytes(before)
    assert found == with_dependents(importing)


def folders(deps: list[str]) -> list[str]:
    return [f"{dep}/" for dep in deps if (ROOT / dep).is_dir()]


@pytest.mark.parametrize(
    "stray", ["features/__pycache__/fit.cpython-311.pyc", "model/old.pyc", "text/README.md"]
)
def test_bytecode_and_notes_in_a_room_re_run_nothing(repository, stray):
    path = repository / "src/captioning" / stray
    path.parent.mkdir(exist_ok=True)
    try:
        for content in ("one", "two"):
            path.write_text(content)
            assert would_run(repository) == []
    finally:
        path.unlink()
