"""What dvc.yaml and the documentation say about the stages."""

from __future__ import annotations

from imports import ROOT
from ruamel.yaml import YAML


def load(name: str):
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


ALL_STAGES = load("dvc.yaml")["stages"]
#: The stages that compute something: all but `check`, whose output never changes.
STAGES = {name: stage for name, stage in ALL_STAGES.items() if name != "check"}


def code_deps(stage: str) -> list[str]:
    """The files and folders of code among the deps of a stage."""
    return [dep for dep in ALL_STAGES[stage]["deps"] if dep.startswith(("src/", "stages/"))]


def documented_keys() -> dict[str, list[str]]:
    """All keys in the tables of docs/settings.md, with the stages that they re-run."""
    table: dict[str, list[str]] = {}
    for line in (ROOT / "docs/settings.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3 or not cells[0].startswith("`"):
            continue
        key = cells[0].strip("`")
        assert key not in table, f"docs/settings.md has {key} twice"
        table[key] = list(STAGES) if cells[2] == "all stages" else cells[2].split(", ")
    return table


def affected_by(key: str) -> list[str]:
    """The stages that read `key` according to dvc.yaml, and the stages that depend on them."""
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
    """Whether a key is one of the declared params, or in one of the declared sections."""
    return any(key == name or key.startswith(f"{name}.") for name in declared)


def with_dependents(stages: list[str]) -> list[str]:
    """These stages and all that depend on their outputs, directly or not, in dvc.yaml's order."""
    found: list[str] = []
    for name, stage in STAGES.items():
        outs = {out for other in found for out in STAGES[other]["outs"]}
        if name in stages or outs & set(stage["deps"]):
            found.append(name)
    return found
