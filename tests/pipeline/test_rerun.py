"""What a change re-runs: every setting and every source file, in a real repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

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
def repository(tmp_path_factory) -> Iterator[Repo]:
    """Looks finished to DVC: every output is there and in dvc.lock."""
    with Repo(str(finished_repository(tmp_path_factory.mktemp("repository")))) as repo:
        yield repo


def changed_entries(repository: Repo) -> dict[str, set[str]]:
    """The entries under `deps` and `params` that DVC finds changed, for each stage."""
    changed: dict[str, set[str]] = {}
    for stage in repository.index.stages:
        changed[stage.name] = set()
        for dependency in stage.deps:
            for path, found in dependency.status().items():
                # Of the file of params, it lists the params.
                changed[stage.name] |= set(found) if isinstance(found, dict) else {path}
    return changed


def re_run_by(changed: dict[str, set[str]], name: str, separator: str) -> list[str]:
    """Stages with a changed entry that is or contains `name`, and those that stand on them."""
    parents = {name, *(name.rsplit(separator, n)[0] for n in range(name.count(separator) + 1))}
    return with_dependents([stage for stage in STAGES if changed[stage] & parents])


def one_of_each(groups: Iterable[list[str]]) -> list[list[str]]:
    """Rounds with at most one name of each group, since asking DVC takes long."""
    rounds = zip_longest(*groups)
    return [[name for name in names if name is not None] for names in rounds]


@pytest.mark.slow
def test_nothing_is_run_without_a_change(repository):
    assert repository.status() == {}


def another(value: object) -> object:
    """A value of the same kind that differs; DVC alone will read it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return 1 if value is None else f"{value}x"


def is_mentioned(key: str) -> bool:
    """Whether dvc.yaml mentions the key, so that a change gives dvc.yaml another meaning."""
    inputs = [entry for stage in STAGES.values() for entry in (*stage["deps"], *stage["params"])]
    return any(f"${{{key}}}" in entry for entry in inputs)


@pytest.fixture(scope="module")
def re_run_by_keys(repository) -> dict[str, list[str]]:
    """The stages that a change of each key re-runs."""
    path = Path(repository.root_dir, "params.yaml")
    before = path.read_bytes()
    values = flatten(YAML(typ="safe").load(path))
    sections: dict[str, list[str]] = {}
    for key in KEYS:
        # A key that dvc.yaml mentions is changed alone.
        section = key if is_mentioned(key) else key[: -len(key.split(".")[-1])]
        sections.setdefault(section, []).append(key)
    alone = [[key] for key in KEYS if is_mentioned(key)]
    together = one_of_each(names for key, names in sections.items() if not is_mentioned(key))
    found = {}
    for keys in (*alone, *together):
        changes = {key: "flickr8k" if key == "dataset" else another(values[key]) for key in keys}
        set_params(path.parent, changes)
        with Repo(repository.root_dir) as reopened:
            changed = changed_entries(reopened)
        path.write_bytes(before)
        if keys in alone:
            found[keys[0]] = with_dependents([stage for stage in STAGES if changed[stage]])
        else:
            found |= {key: re_run_by(changed, key, ".") for key in keys}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_a_setting_re_runs_the_stages_that_docs_settings_lists(re_run_by_keys, key):
    chosen = not key.startswith("datasets.") or key.startswith(f"datasets.{DATASET}.")
    expected = documented_keys()[key] if chosen or is_mentioned(key) else []
    assert re_run_by_keys[key] == expected


@pytest.fixture(scope="module")
def re_run_by_sources(repository) -> dict[str, list[str]]:
    """The stages that a change of each source file re-runs."""
    entries = {entry for stage in STAGES.values() for entry in stage["deps"]}
    groups: dict[str, list[str]] = {}
    for source in SOURCES:
        parents = {source, *(parent.as_posix() for parent in Path(source).parents)}
        groups.setdefault(next(iter(parents & entries), ""), []).append(source)
    unwatched = groups.pop("", [])
    found = {}
    for sources in (unwatched, *one_of_each(groups.values())):
        paths = [Path(repository.root_dir, source) for source in sources]
        before = [path.read_bytes() for path in paths]
        for path, content in zip(paths, before, strict=True):
            path.write_bytes(content + b"\n# changed\n")
        changed = changed_entries(repository)
        for path, content in zip(paths, before, strict=True):
            path.write_bytes(content)
        if sources is unwatched:
            assert not any(changed[stage] for stage in STAGES)
        found |= {source: re_run_by(changed, source, "/") for source in sources}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_a_source_file_re_runs_the_stages_that_import_it(re_run_by_sources, source):
    importing = [n for n in STAGES if source in result_files(ROOT / "stages" / f"{n}.py")]
    if not changes_results(ROOT / source):
        # A docstring alone: it re-runs the stages that depend on its whole folder.
        importing = [n for n in STAGES if any(d in source for d in folders(code_deps(n)))]
    assert re_run_by_sources[source] == with_dependents(importing)


def folders(deps: list[str]) -> list[str]:
    return [f"{dep}/" for dep in deps if (ROOT / dep).is_dir()]


@pytest.mark.parametrize(
    "stray", ["features/__pycache__/fit.cpython-311.pyc", "model/old.pyc", "text/README.md"]
)
def test_bytecode_and_notes_in_a_room_re_run_nothing(repository, stray):
    path = Path(repository.root_dir, "src/captioning", stray)
    path.parent.mkdir(exist_ok=True)
    try:
        for content in ("one", "two"):
            path.write_text(content)
            assert not any(changed_entries(repository).values())
    finally:
        path.unlink()
