"""Find the project files that a Python file imports, directly or indirectly."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "captioning"
#: The params schema. It can refuse a params file, but it cannot change a value or a result.
REFUSES_ONLY = "src/captioning/params/"
#: Defines only the version, which no stage reads (tests/pipeline/test_setup.py proves both).
VERSION_ONLY = "src/captioning/__init__.py"


def project_files(script: Path) -> set[str]:
    """All project files that `script` executes, including itself, relative to the repository."""
    found: set[Path] = set()
    pending = [script]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending.extend(imported(path))
    return {path.relative_to(ROOT).as_posix() for path in found}


@cache
def result_files(script: Path) -> set[str]:
    """Those of the `project_files` of a script that can change a result."""
    return {name for name in project_files(script) if changes_results(ROOT / name)}


def changes_results(path: Path) -> bool:
    """Whether a file can change a result: it has code and is not on the lists above."""
    if path.relative_to(ROOT).as_posix().startswith((REFUSES_ONLY, VERSION_ONLY)):
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    docstring = (
        bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    )
    return len(body) > docstring


def expanded(deps: Iterable[str]) -> list[str]:
    """Code deps of dvc.yaml as files; a folder stands for all files below that change results."""
    files: list[str] = []
    for dep in deps:
        path = ROOT / dep
        files += _files_below(path) if path.is_dir() else [dep]
    return files


def _files_below(folder: Path) -> list[str]:
    """All files below a folder that can change a result."""
    paths = sorted(folder.rglob("*.py"))
    return [path.relative_to(ROOT).as_posix() for path in paths if changes_results(path)]


def as_rooms(files: set[str]) -> list[str]:
    """The shortest deps that `expanded` turns into `files`: whole folders where possible."""

    def cover(folder: Path) -> list[str]:
        inside = set(_files_below(folder))
        if inside and inside <= files:
            return [folder.relative_to(ROOT).as_posix()]
        found: list[str] = []
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                found += cover(path)
            elif path.relative_to(ROOT).as_posix() in files:
                found.append(path.relative_to(ROOT).as_posix())
        return found

    scripts = sorted(name for name in files if name.startswith("stages/"))
    return [*cover(PACKAGE), *scripts]


def imported(path: Path) -> set[Path]:
    """The project files that a file imports directly."""
    files: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            files |= _files_of(name, path.parent)
    return files


def _files_of(name: str, beside: Path) -> set[Path]:
    """The files that importing a dotted name executes: its parent packages and the module."""
    files: set[Path] = set()
    sibling = beside / f"{name.split('.')[0]}.py"
    if beside.name == "stages" and sibling.is_file():
        files.add(sibling)
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        module = SOURCE.joinpath(*parts[:end])
        if (module / "__init__.py").is_file():
            files.add(module / "__init__.py")
        elif module.with_suffix(".py").is_file():
            files.add(module.with_suffix(".py"))
    return files
