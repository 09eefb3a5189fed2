"""Set-up: the locks, the package and its version, the Makefile, a wrong interpreter."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from importlib import metadata

import pytest
from imports import PACKAGE, ROOT, VERSION_ONLY, project_files
from packaging.requirements import Requirement
from packaging.version import Version

import captioning

STAGES = sorted(path.name for path in (ROOT / "stages").glob("[!_]*.py"))
TARGETS = (
    "help", "setup", "setup-dev", "repro", "seeds", "browser", "test", "test-all", "chaos", "bench",
    "growth", "docs", "lint", "format", "lock", "clean",
)  # fmt: skip
LOCKS = ("uv", "pipeline", "developers")
#: Systems and Python versions on which the locks must agree.
SYSTEMS = [
    {"sys_platform": system, "platform_system": name, "platform_machine": machine, "os_name": os}
    for system, name, machine, os in (
        ("linux", "Linux", "x86_64", "posix"),
        ("linux", "Linux", "aarch64", "posix"),
        ("darwin", "Darwin", "arm64", "posix"),
        ("win32", "Windows", "AMD64", "nt"),
    )
]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def lock_text(name: str) -> str:
    return (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8")


def locked(name: str, environment: dict[str, str] | None = None) -> dict[str, str]:
    """Versions by package that a lock names for an environment; by default, for this one."""
    lines = [line for line in lock_text(name).splitlines() if not line.startswith(" ")]
    requirements = [Requirement(line.removesuffix("\\")) for line in lines]
    return {
        requirement.name: str(requirement.specifier)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }


@pytest.mark.parametrize("stage", STAGES)
def test_bare_interpreter_says_what_to_activate(stage: str) -> None:
    # Not -I: it would also hide the folder of the script, which contains `_environment`.
    command = [sys.executable, "-E", "-s", "-S", f"stages/{stage}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"error: .*{re.escape(sys.executable)} .*`source \.venv/bin/activate`.*`make repro`.*\n",
        done.stderr,
    )


def test_every_lock_is_checked() -> None:
    assert sorted(path.name for path in (ROOT / "locks").iterdir()) == sorted(
        f"{name}.txt" for name in LOCKS
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_names_versions_and_hashes_only(lock: str) -> None:
    requirement = re.compile(r"[a-z0-9][a-z0-9.-]*(\[[a-z,-]+\])?==[^\s;/@]+( ; [^/@]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = lock_text(lock).splitlines()
    assert lines
    strange = [n for n in lines if not (requirement.fullmatch(n) or digest.fullmatch(n))]
    assert strange == []


@pytest.mark.parametrize("lock", LOCKS)
# nvidia-ml-py, of DVCLive, is a few kilobytes of Python; CUDA's libraries are gigabytes.
@pytest.mark.parametrize("unwanted", ["torch", "nvidia-(?!ml-py=)"])
def test_locks_leave_gpu_packages_out(lock: str, unwanted: str) -> None:
    assert not re.search(rf"^{unwanted}", lock_text(lock), re.MULTILINE)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_developers_lock_contains_the_pipelines_lock(python: str) -> None:
    for system in SYSTEMS:
        environment = {
            **system,
            "python_version": python,
            "python_full_version": f"{python}.1",
            "implementation_name": "cpython",
        }
        pipeline = locked("pipeline", environment)
        assert pipeline
        assert pipeline.items() <= locked("developers", environment).items(), system


def test_the_locks_cover_what_pyproject_requires() -> None:
    requirements = metadata.requires("captioning")
    assert requirements
    for lock, extra in (("pipeline", ""), ("developers", "dev")):
        versions = locked(lock)
        for line in requirements:
            requirement = Requirement(line)
            if requirement.name == "captioning":
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                name = re.sub(r"[-_.]+", "-", requirement.name).lower()
                version = Version(versions[name].removeprefix("=="))
                assert requirement.specifier.contains(version), f"locks/{lock}.txt: {line}"


def test_the_pipelines_lock_can_build_the_project() -> None:
    # The Makefile installs the project without fetching its build system separately.
    assert Version(locked("pipeline")["setuptools"].removeprefix("==")) >= Version("77")


def test_the_version_is_that_of_the_installed_package() -> None:
    stated = re.search(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert stated and captioning.__version__ == metadata.version("captioning") == stated[1]


def test_the_package_imports_without_being_installed(tmp_path) -> None:
    # A copy: beside the original there may be an `egg-info` folder with the version.
    shutil.copytree(PACKAGE, tmp_path / "captioning", ignore=lambda *_: {"__pycache__"})
    command = [sys.executable, "-S", "-c", "import captioning; print(captioning.__version__)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "unknown\n"


def test_the_package_file_defines_the_version_and_no_stage_reads_it() -> None:
    tree = ast.parse((ROOT / VERSION_ONLY).read_text(encoding="utf-8"))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    assert {name.id for name in names if isinstance(name.ctx, ast.Store)} == {"__version__"}
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree))
    for stage in STAGES:
        for name in project_files(ROOT / "stages" / stage) - {VERSION_ONLY}:
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"captioning(\.| import .*)__version__", text), name


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_help_lists_the_targets() -> None:
    command = ["make", "--no-print-directory"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert set(listed) == set(TARGETS)
