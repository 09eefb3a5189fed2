"""The whole pipeline in a real DVC repository, small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from small_repository import dvc, make_repository, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A clone with small params, reproduced once."""
    folder = make_repository(tmp_path_factory.mktemp("repository"))
    dvc(folder, "repro")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "reproduced")
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
