"""The plots that DVC shows: each has data, and all have the optimizer step on their x axis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from imports import ROOT
from PIL import Image
from small_repository import dvc, finished_repository, run

pytestmark = pytest.mark.slow

CURVES = (ROOT / "metrics/training.csv").read_text(encoding="utf-8")
STEPS = [line.split(",")[1] for line in CURVES.splitlines()[1:]]
REWARDS = "report,step,epoch,reward,val_reward,learning_rate\n1,225,1.0,2.0,2.1,0.0\n"


@pytest.fixture
def repository(tmp_path) -> Path:
    """Looks finished to DVC, with learning curves and a sample picture."""
    folder = finished_repository(tmp_path / "repository")
    (folder / "metrics/training.csv").write_text(CURVES)
    for name in ("captions", "self_critical"):
        (folder / "metrics" / name / "content").unlink()
    Image.new("RGB", (8, 8)).save(folder / "metrics/captions/00-sample.png")
    dvc(folder, "commit", "--force", "--quiet")
    return folder


def shown(repository: Path) -> dict[str, list[dict]]:
    """What `dvc plots show` shows, by the plot's name; nothing failed or is an empty box."""
    output = dvc(repository, "plots", "show", "-o", "page")
    assert "failed" not in output.lower()
    page = (repository / "page/index.html").read_text()
    assert "<img" in page and "var spec = {};" not in page
    plots = json.loads(run(repository, "dvc", "plots", "show", "--json", errors=False))
    assert not plots.get("errors")
    return {name: content for name, content in plots["data"].items() if content}


def test_every_plot_has_data_by_optimizer_step(repository):
    plots = shown(repository)
    assert list(plots) == [
        "cross-entropy",
        "accuracy",
        "metrics/training.csv",
        "metrics/captions/00-sample.png",
    ]
    for name in list(plots)[:3]:
        (plot,) = plots[name]
        spec = json.loads(plot["content"]) if isinstance(plot["content"], str) else plot["content"]
        assert [row["step"] for row in spec["data"]["values"]][: len(STEPS)] == STEPS
        text = json.dumps(spec)
        assert '"optimizer step"' in text and '"field": "step"' in text
    assert '"Learning rate"' in json.dumps(plots["metrics/training.csv"])


def test_rewards_are_plotted_if_there_was_self_critical_training(repository):
    (repository / "metrics/self_critical/rewards.csv").write_text(REWARDS)
    (plot,) = shown(repository)["metrics/self_critical/rewards.csv"]
    text = json.dumps(plot["content"])
    assert "val_reward" in text and "Mean reward of the model's own captions" in text


def test_the_empty_folder_of_rewards_travels_through_cache_and_clone(repository, tmp_path):
    run(repository, "git", "add", "-A")
    run(repository, "git", "commit", "-qm", "finished")
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    dvc(clone, "remote", "add", "--default", "near", str(tmp_path / "remote"))
    dvc(repository, "remote", "add", "--default", "near", str(tmp_path / "remote"))
    dvc(repository, "push", "--quiet")
    dvc(clone, "pull", "--quiet")
    assert list((clone / "metrics/self_critical").iterdir()) == []
    assert "up to date" in dvc(clone, "status")


def test_what_dvc_writes_for_plots_is_ignored_by_git():
    run(ROOT, "git", "check-ignore", "--quiet", "dvc_plots/index.html")
