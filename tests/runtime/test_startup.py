"""Heavy packages are imported only once there is work that needs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from imports import ROOT
from small_repository import ENVIRONMENT, finished_repository

HEAVY = {"jax", "keras", "matplotlib", "pandas", "tensorflow", "torch"}
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("[!_]*.py"))


def imported(folder: Path, *arguments: str) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """The packages that a Python process imports, and the finished process."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +([\w.]+)$", done.stderr, re.MULTILINE)
    assert "captioning" in names or "dvc" in names
    return {name.partition(".")[0] for name in names}, done


@pytest.mark.parametrize("stage", STAGES)
def test_wrong_params_are_reported_before_anything_heavy_is_imported(stage, tmp_path):
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(params.replace("max_length: 50", "max_length: fifty"))
    packages, done = imported(tmp_path, str(ROOT / "stages" / f"{stage}.py"))
    assert done.returncode == 1
    assert "model.max_length" in done.stderr and "Traceback" not in done.stderr
    assert not packages & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["caption", "--help"], ["compare", "--help"]])
def test_help_imports_nothing_heavy(arguments, tmp_path):
    packages, done = imported(tmp_path, "-m", "captioning", *arguments)
    assert done.returncode == 0 and done.stdout.startswith("usage: captioning")
    assert not packages & {*HEAVY, "dvc", "numpy", "pyarrow"}


def test_an_unreadable_image_is_reported_before_anything_heavy_is_imported(tmp_path):
    packages, done = imported(tmp_path, "-m", "captioning", "caption", "missing.jpg")
    assert done.returncode == 1 and "missing.jpg cannot be read" in done.stderr
    assert not packages & HEAVY


@pytest.mark.slow
def test_dvc_status_imports_nothing_heavy(tmp_path):
    packages, done = imported(finished_repository(tmp_path), "-m", "dvc", "status")
    assert "up to date" in done.stdout
    assert not packages & HEAVY


@pytest.mark.slow
def test_optional_companions_of_keras_are_not_imported_with_it_but_can_be_later(tmp_path):
    code = (
        "import gc, sys\n"
        "from captioning.runtime.quick_imports import quick_imports\n"
        "with quick_imports():\n"
        "    assert not gc.isenabled()\n"
        "    import captioning.captioner\n"
        "assert gc.isenabled()\n"
        "print(*({'keras', 'matplotlib', 'pandas'} & set(sys.modules)))\n"
        "import matplotlib, pandas\n"
        "import keras, numpy as np\n"
        "print(keras.ops.convert_to_numpy(keras.ops.ones(2)).sum())\n"
    )
    _, done = imported(tmp_path, "-c", code)
    assert done.stdout.splitlines() == ["keras", "2.0"], done.stderr[-2000:]
