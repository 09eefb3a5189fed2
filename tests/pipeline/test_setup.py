"""The set-up files: what a wrong interpreter is told, the lock, the Makefile."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
from imports import ROOT

STAGES = sorted(path.name for path in (ROOT / "stages").glob("[!_]*.py"))
TARGETS = (
    "help", "setup", "repro", "seeds", "test", "chaos", "bench", "growth",
    "lint", "format", "lock", "clean",
)  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_bare_interpreter_says_what_to_activate(stage: str) -> None:
    # Not -I: it hides the script's own folder too, hence `_environment`.
    command = [sys.executable, "-E", "-s", "-S", f"stages/{stage}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"error: .*{re.escape(sys.executable)} .*`source \.venv/bin/activate`.*`make repro`.*\n",
        done.stderr,
    )


def test_lock_has_names_versions_and_hashes_only() -> None:
    requirement = re.compile(r"[a-z0-9][a-z0-9.-]*(\[[a-z,-]+\])?==[^\s;/@]+( ; [^/@]+)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert lines
    strange = [n for n in lines if not (requirement.fullmatch(n) or digest.fullmatch(n))]
    assert strange == []


@pytest.mark.parametrize("unwanted", ["torch", "nvidia-"])
def test_lock_leaves_out(unwanted: str) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(rf"^{unwanted}", lock, re.MULTILINE)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_help_lists_the_targets() -> None:
    command = ["make", "--no-print-directory"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert set(listed) == set(TARGETS)
