"""Which project files a Python file imports, directly or not; used by the pipeline's tests."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"


def project_files(script: Path) -> set[str]:
    """Every project file that `script` runs, itself included, relative to the repository."""
    found: set[Path] = set()
    pending = [script]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending.extend(_imported(path))
    return {path.relative_to(ROOT).as_posix() for path in found}


def _imported(path: Path) -> set[Path]:
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
