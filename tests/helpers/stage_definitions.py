"""What dvc.yaml and the documentation say about the stages."""

from __future__ import annotations

from imports import ROOT
from ruamel.yaml import YAML


def load(name: str):
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


STAGES = load("dvc.yaml")["stages"]


def code_deps(stage: str) -> list[str]:
    """The project's own files and folders among the deps of a stage."""
    return [dep for dep in STAGES[stage]["deps"] if not dep.startswith(("data/", "${"))]


def documented_keys() -> dict[str, list[str]]:
    """Every key in the tables of docs/settings.md, with the stages that it re-runs."""
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
