"""A small copy of the project as a real DVC repository, for the tests that run the pipeline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from imports import ROOT
from ruamel.yaml import YAML

DATASET = "scenes"
SMALL = {
    "datasets.scenes.train_images": 24,
    "datasets.scenes.validation_images": 8,
    "datasets.scenes.test_images": 8,
    "datasets.scenes.image_size": 64,
    "features.image_size": 64,
    "vocabulary.min_count": 1,
    "model.layers": 1,
    "model.units": 16,
    "model.heads": 2,
    "model.feed_forward_units": 32,
    "model.max_length": 20,
    "train.batch_images": 8,
    "train.epochs": 1,
    "train.sample_images": 1,
    "evaluate.bootstrap_samples": 100,
    "evaluate.sample_images": 2,
}

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "t"), ("EMAIL", "t@example.org"))
    },
}
PROJECT = (
    "src",
    "stages",
    "data/example",
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "params.yaml",
)


def run(
    folder: Path, *command: str, ok: bool = True, errors: bool = True, **environment: str
) -> str:
    """Run a command; return what it printed, on standard error too unless not `errors`."""
    result = subprocess.run(
        command,
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    output = result.stdout + result.stderr
    assert (result.returncode == 0) == ok, output
    return output if errors else result.stdout


def dvc(folder: Path, *arguments: str, ok: bool = True) -> str:
    """Run DVC; return what it printed."""
    return run(folder, sys.executable, "-m", "dvc", *arguments, ok=ok)


def make_repository(folder: Path, **changes: object) -> Path:
    """Copy the project to `folder`, with small params, as a Git repository with one commit."""
    for name in PROJECT:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    set_params(folder, {**SMALL, **changes})
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "start")
    return folder


def set_params(folder: Path, changes: dict[str, object]) -> None:
    """Set keys of params.yaml, given by their full names."""
    yaml = YAML()
    values = yaml.load(folder / "params.yaml")
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = values
        for part in sections:
            section = section[part]
        assert name in section, key
        section[name] = value
    yaml.dump(values, folder / "params.yaml")


def finished_repository(folder: Path) -> Path:
    """A repository that DVC takes for reproduced: its outputs hold a word instead of data."""
    make_repository(folder)
    stages = YAML(typ="safe").load(folder / "dvc.yaml")["stages"]
    for stage in stages.values():
        figures = [path for entry in stage.get("metrics", []) for path in entry]
        plots = [next(iter(p)) if isinstance(p, dict) else p for p in stage.get("plots", [])]
        for out in (*stage["outs"], *figures, *plots):
            path = folder / out
            if not path.suffix:
                path = path / "content"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("word")
    # It runs in every test that changes a param, and its output must stay as it is.
    run(folder, sys.executable, "stages/check.py")
    dvc(folder, "init", "-f", "-q")
    dvc(folder, "commit", "--force", "--quiet")
    return folder
