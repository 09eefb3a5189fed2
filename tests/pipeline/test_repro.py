"""The whole pipeline in a real DVC repository, small."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from imports import ROOT
from PIL import Image
from small_repository import DATASET, dvc, make_repository, run, set_params
from stage_definitions import ALL_STAGES, STAGES, is_in, load

from captioning.experiments.revisions import flatten

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
    scores = json.loads((repository / "data/scores.json").read_text())
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d"):
        assert scores[name]["low"] <= metrics[name] <= scores[name]["high"]
    assert metrics["images"] == 8 and "BLEU" in scores["signature"]
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
    assert "Cross-entropy" in page and page.count("<img") == 2


def test_more_layers_re_run_only_train_and_evaluate_after_the_check(repository):
    output = dvc(repository, "exp", "run", "-S", "model.layers=2")
    ran = [line for line in output.splitlines() if "Running stage" in line]
    assert [line.split("'")[1] for line in ran] == ["check", "train", "evaluate"]
    assert "model.layers" in dvc(repository, "params", "diff")
    assert "parameters" in dvc(repository, "metrics", "diff")
    run(repository, "git", "checkout", "-q", ".")
    dvc(repository, "checkout")


def test_forcing_train_again_gives_the_same_bytes(repository):
    before = (repository / "dvc.lock").read_bytes()
    dvc(repository, "repro", "--force", "--single-item", "train")
    assert (repository / "dvc.lock").read_bytes() == before


@pytest.mark.long
def test_event_files_for_tensorboard_change_no_result(repository):
    before = (repository / "dvc.lock").read_bytes()
    command = (sys.executable, "-m", "dvc", "repro", "--force", "--single-item", "train")
    run(repository, *command, CAPTIONING_TENSORBOARD="logs")
    assert len(list((repository / "logs/workspace/training").iterdir())) == 1
    assert (repository / "dvc.lock").read_bytes() == before
    assert run(repository, "git", "status", "--porcelain") == ""
    assert "up to date" in dvc(repository, "status")


@pytest.mark.long
@pytest.mark.parametrize(("cores", "link"), [(1, "hardlink"), (2, "symlink")])
def test_another_user_folder_number_of_cores_and_kind_of_link_give_the_same_bytes(
    repository, tmp_path, cores, link
):
    clone = tmp_path / "another folder"
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    dvc(clone, "config", "--local", "cache.dir", str(repository / ".dvc/cache"))
    dvc(clone, "config", "--local", "cache.type", link)
    dvc(clone, "checkout")
    linked = next((clone / "data/raw").glob("*.parquet"))
    assert linked.is_symlink() if link == "symlink" else linked.stat().st_nlink > 1
    code = (
        "import os, sys; os.umask(0o077); "
        f"os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}]); "
        "os.execv(sys.executable, [sys.executable, '-m', 'dvc', 'repro', '--force'])"
    )
    other = {"LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "COLUMNS": "40"}
    output = run(clone, sys.executable, "-c", code, **other)
    assert output.count("Running stage") == len(ALL_STAGES)
    assert (clone / "dvc.lock").read_bytes() == (repository / "dvc.lock").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  batch_images: 8",
            "  batch_images: -1",
            "train.batch_images: Input should be greater than or equal to 1",
        ),
        ("dataset: scenes", "dataset: folders", "dataset: Input should be 'scenes', 'flickr8k'"),
    ],
)
def test_wrong_params_end_a_run_before_any_results_are_deleted(repository, old, new, message):
    params = repository / "params.yaml"
    good = params.read_text()
    params.write_text(good.replace(old, new))
    output = dvc(repository, "repro", ok=False)
    params.write_text(good)
    assert message in output and "Traceback" not in output
    assert "former results" not in output
    for name in ("data/raw", "data/model/decoder.keras", "metrics/evaluate.json"):
        assert (repository / name).exists()
    assert "Running stage" not in dvc(repository, "repro")
    assert "up to date" in dvc(repository, "status")


def test_results_that_dvc_deleted_for_a_failing_stage_come_back_as_the_note_says(repository):
    # The schema accepts it, but no dataset has a folder there.
    set_params(repository, {"vocabulary.kind": "subword", "vocabulary.max_size": 5})
    output = dvc(repository, "repro", ok=False)
    assert "note: DVC deleted this stage's former results" in output
    assert not (repository / "data/vocabulary").exists()
    run(repository, "git", "restore", "params.yaml")
    assert "Stage 'vocabulary' is cached - skipping run" in dvc(repository, "repro")
    assert (repository / "data/vocabulary/vocabulary.txt").is_file()
    assert "up to date" in dvc(repository, "status")
    assert run(repository, "git", "status", "--short", "metrics", errors=False) == ""


def test_going_back_to_a_commit_needs_force_where_results_were_never_finished(repository):
    samples = repository / "data/train_samples.jsonl"
    samples.write_text("of a run that was interrupted\n")
    run(repository, "git", "restore", ".")
    assert "Use `--force`" in dvc(repository, "checkout", ok=False)
    dvc(repository, "checkout", "--force")
    assert "up to date" in dvc(repository, "status")


def test_a_damaged_file_comes_back_as_the_message_says(repository):
    path = repository / "data/model/decoder.keras"
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    output = run(repository, sys.executable, "stages/evaluate.py", ok=False)
    assert "decoder.keras is damaged (its checksum is not that in captioner.json): delete" in output
    assert "run `dvc checkout data/model`" in output and "Traceback" not in output
    path.unlink()
    dvc(repository, "checkout", "data/model")
    run(repository, sys.executable, "stages/evaluate.py")
    assert "up to date" in dvc(repository, "status")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_exactly_the_params_that_it_declares(repository, tmp_path, stage):
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy, ignore=shutil.ignore_patterns(".dvc", ".git"))
    watched = str(ROOT / "tests/helpers/watched_stage.py")
    read = json.loads(run(copy, sys.executable, watched, stage, errors=False).splitlines()[-1])
    declared = [name.replace("${dataset}", DATASET) for name in STAGES[stage]["params"]]
    undeclared = [key for key in read if not is_in(key, declared)]
    assert not undeclared, f"{stage} reads what dvc.yaml does not list"
    leaves_declared = [key for key in flatten(load("params.yaml")) if is_in(key, declared)]
    assert set(read) == set(leaves_declared), f"{stage} lists in dvc.yaml what it does not read"


def test_going_back_to_earlier_params_runs_nothing(repository):
    lock = (repository / "dvc.lock").read_bytes()
    set_params(repository, {"evaluate.beam_width": 2})
    assert "Running stage 'evaluate'" in dvc(repository, "repro")
    set_params(repository, {"evaluate.beam_width": 3})
    output = dvc(repository, "repro")
    assert "Stage 'evaluate' is cached - skipping run" in output
    assert "Running stage" not in output
    assert (repository / "dvc.lock").read_bytes() == lock


def test_what_was_pushed_can_be_cloned_pulled_and_used(repository, tmp_path):
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    dvc(repository, "remote", "add", "--local", "--default", "--force", "far", str(remote))
    dvc(repository, "push", "--quiet")
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    dvc(clone, "remote", "add", "--default", "far", str(remote))
    assert "Running stage" not in dvc(clone, "repro", "--dry", "--allow-missing")
    assert "Running stage" not in dvc(clone, "repro", "--pull")
    assert "up to date" in dvc(clone, "status")
    picture = str(next((clone / "metrics/captions").glob("*.png")))
    caption = run(clone, str(Path(sys.executable).with_name("captioning")), "caption", picture)
    assert f"{picture}: " in caption
    run(clone, "git", "commit", "-qam", "remote")
    run(clone, "git", "tag", "-a", "captioner@v1.0.0", "-m", "first")
    dvc(tmp_path, "artifacts", "get", str(clone), "captioner", "-o", "fetched")
    fetched = {path.name for path in (tmp_path / "fetched").iterdir()}
    assert fetched == {
        "README.md",
        "captioner.json",
        "card.json",
        "decoder.keras",
        "familiarity.npz",
        "vocabulary.txt",
    }


@pytest.mark.long
def test_a_grid_of_experiments_runs_from_the_queue(repository, tmp_path):
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    dvc(clone, "config", "--local", "cache.dir", str(repository / ".dvc/cache"))
    dvc(clone, "checkout")
    grid = ("-S", "evaluate.beam_width=1,2", "-S", "evaluate.length_penalty=0.0,0.5")
    dvc(clone, "exp", "run", "--queue", "--name", "grid", *grid)
    dvc(clone, "exp", "run", "--run-all", "--jobs", "2")
    names = [f"grid-{number}" for number in range(1, 5)]
    assert sorted(dvc(clone, "exp", "list", "--name-only").split()) == names
    assert "evaluate.beam_width" in dvc(clone, "exp", "show", "--csv")
    assert "evaluate.beam_width" in dvc(clone, "exp", "diff", "HEAD", "grid-1")
    dvc(clone, "exp", "branch", "grid-2", "kept")
    assert "kept" in run(clone, "git", "branch", "--list", "kept")
    dvc(clone, "exp", "apply", "grid-3")
    assert "up to date" in dvc(clone, "status")
    run(tmp_path, "git", "init", "-q", "--bare", "shared.git")
    run(clone, "git", "remote", "add", "shared", str(tmp_path / "shared.git"))
    run(clone, "git", "push", "-q", "shared", "HEAD")
    dvc(clone, "exp", "push", "--no-cache", "shared", "grid-4")
    assert "grid-4" in dvc(clone, "exp", "list", "--name-only", "shared")


def test_an_experiment_in_a_temporary_folder_needs_nothing_that_git_does_not_know(repository):
    output = dvc(repository, "exp", "run", "--temp", "-n", "apart", "-S", "evaluate.beam_width=4")
    assert "Running stage 'evaluate'" in output and "Running stage 'train'" not in output
    assert "apart" in dvc(repository, "exp", "list", "--name-only")
