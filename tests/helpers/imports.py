"""Which project files a Python file imports, directly or not; used by the pipeline's tests."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "captioning"
#: Code that can refuse a params file but cannot change what the file says, nor any result.
REFUSES_ONLY = "src/captioning/params/"
#: Defines the version and nothing else, and no stage reads the version (test_setup proves both).
VERSION_ONLY = "src/captioning/__init__.py"


def project_files(script: Path) -> set[str]:
    """Every project file that `script` runs, itself included, relative to the repository."""
    found: set[Path] = set()
    pending = [script]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending.extend(imported(path))
    return {path.relative_to(ROOT).as_posix() for path in found}


def result_files(script: Path) -> set[str]:
    """The files of `project_files` that can change a result."""
    return {name for name in project_files(script) if changes_results(ROOT / name)}


def changes_results(path: Path) -> bool:
    """Whether a file has code, and code that can do more than refuse a params file."""
    if path.relative_to(ROOT).as_posix().startswith((REFUSES_ONLY, VERSION_ONLY)):
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    docstring = (
        bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    )
    return len(body) > docstring


def expanded(deps: Iterable[str]) -> list[str]:
    """Code deps of dvc.yaml as files: of a folder, every file with code in it or below."""
    files: list[str] = []
    for dep in deps:
        path = ROOT / dep
        files += _with_code(path) if path.is_dir() else [dep]
    return files


def _with_code(folder: Path) -> list[str]:
    """Files in a folder or below that can change a result."""
    paths = sorted(folder.rglob("*.py"))
    return [path.relative_to(ROOT).as_posix() for path in paths if changes_results(path)]


def as_rooms(files: set[str]) -> list[str]:
    """The shortest list of deps that `expanded` turns into `files`: whole folders where it can."""

    def cover(folder: Path) -> list[str]:
        inside = set(_with_code(folder))
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
    """The project files that a file imports itself."""
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
    """The files that importing a dotted name runs: packages on the way, and the module."""
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
