"""The whole pipeline in a real DVC repository, small."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from imports import ROOT
from PIL import Image

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

pytestmark = pytest.mark.slow


def run(folder: Path, *command: str, ok: bool = True) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
    }
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    output = result.stdout + result.stderr
    assert (result.returncode == 0) == ok, output
    return output


def dvc(folder: Path, *arguments: str, ok: bool = True) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments, ok=ok)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A clone with small params, reproduced once."""
    folder = tmp_path_factory.mktemp("repository")
    for name in (
        "src",
        "stages",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "dvc.yaml",
        "params.yaml",
    ):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        elif source.exists():
            shutil.copy(source, target)
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "start")
    changes = [part for key, value in SMALL.items() for part in ("-S", f"{key}={value}")]
    dvc(folder, "exp", "run", *changes)
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "small")
    return folder


def test_repro_writes_everything_and_leaves_a_clean_status(repository):
    for split in ("train", "validation", "test"):
        for folder, suffix in (
            ("raw", "parquet"),
            ("features", "tfrecord"),
            ("tokens", "tfrecord"),
        ):
            assert len(list((repository / "data" / folder).glob(f"{split}-*.{suffix}"))) == 4
    assert "up to date" in dvc(repository, "status")
    assert "Running stage" not in dvc(repository, "repro")


def test_metrics_have_the_documented_keys(repository):
    metrics = json.loads((repository / "metrics/evaluate.json").read_text())
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d"):
        assert (
            metrics["interval"][name]["low"] <= metrics[name] <= metrics["interval"][name]["high"]
        )
    assert metrics["images"] == 8 and "BLEU" in metrics["signature"]
    assert 0 <= metrics["grounding"]["colour_shape_true"] <= 1
    untrained = json.loads((repository / "metrics/train.json").read_text())["untrained"]
    assert abs(untrained["val_cross_entropy"] - untrained["marginal_entropy"]) < 0.3
    assert untrained["marginal_entropy"] < untrained["uniform_entropy"]


def test_predictions_and_samples_are_written(repository):
    lines = (repository / "data/predictions.jsonl").read_text().splitlines()
    assert len(lines) == 8 and len(json.loads(lines[0])["references"]) == 5
    samples = (repository / "data/train_samples.jsonl").read_text().splitlines()
    assert set(json.loads(samples[0])["captions"]) == {"0", "0.5", "1"}
    pictures = sorted((repository / "metrics/captions").glob("*.png"))
    assert len(pictures) == 2 and Image.open(pictures[0]).width > 500


def test_plots_can_be_shown(repository):
    dvc(repository, "plots", "show", "-o", "shown")
    page = (repository / "shown/index.html").read_text()
    assert "Cross-entropy" in page and "scene-test" in page


def test_more_layers_re_run_train_and_evaluate_alone(repository):
    output = dvc(repository, "exp", "run", "-S", "model.layers=2")
    ran = [line for line in output.splitlines() if "Running stage" in line]
    assert [line.split("'")[1] for line in ran] == ["train", "evaluate"]
    assert "model.layers" in dvc(repository, "params", "diff")
    assert "parameters" in dvc(repository, "metrics", "diff")
    run(repository, "git", "checkout", "-q", ".")
    dvc(repository, "checkout")


def test_forcing_train_again_gives_the_same_bytes(repository):
    before = (repository / "dvc.lock").read_bytes()
    dvc(repository, "repro", "--force", "--single-item", "train")
    assert (repository / "dvc.lock").read_bytes() == before


def test_impossible_params_stop_before_any_work(repository):
    params = repository / "params.yaml"
    good = params.read_text()
    params.write_text(good.replace("  batch_images: 8", "  batch_images: -1"))
    output = dvc(repository, "repro", ok=False)
    params.write_text(good)
    assert "train.batch_images" in output and "greater than or equal to 1" in output
    assert "Traceback" not in output
