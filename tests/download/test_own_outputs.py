"""Inputs that lie in outputs are refused before anything is deleted."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from imports import ROOT
from stage_definitions import STAGES

from captioning.core.errors import InputError
from captioning.download.own_outputs import OUTPUTS, check_inputs
from captioning.params.stages import Params, load_params


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAPTIONING_SOURCE", raising=False)
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/mine.jpg").write_bytes(b"picture")
    return tmp_path


def params(dataset: str, **changes: object) -> Params:
    loaded = load_params(ROOT / "params.yaml")
    section = getattr(loaded.datasets, dataset).model_copy(update=changes)
    datasets = loaded.datasets.model_copy(update={dataset: section})
    return loaded.model_copy(update={"dataset": dataset, "datasets": datasets})


@pytest.mark.parametrize(
    "path", ["data/raw", "./data/../data/raw/", "data/raw/inner", "data/tokens", ".scratch/x"]
)
def test_a_folder_in_an_output_is_refused_and_stays(path):
    download = runpy.run_path(str(ROOT / "stages/download.py"))["download"]
    with pytest.raises(InputError, match=r"datasets\.folder\.path: .* is in .*: move your data"):
        download(params("folder", path=path))
    assert Path("data/raw/mine.jpg").read_bytes() == b"picture"


def test_links_are_followed_in_both_directions(here):
    Path("pictures").symlink_to("data/raw")
    with pytest.raises(InputError, match=r"pictures is in data/raw, which the pipeline deletes"):
        check_inputs(params("folder", path="pictures"))
    Path("data/features").symlink_to(here / "elsewhere")
    with pytest.raises(InputError, match="is in data/features"):
        check_inputs(params("folder", path=str(here / "elsewhere/x")))


@pytest.mark.parametrize("path", ["data", ".", "/"])
def test_a_folder_that_contains_an_output_is_refused(path):
    with pytest.raises(InputError, match=r"datasets\.folder\.path: .* contains data/raw, which"):
        check_inputs(params("folder", path=path))


@pytest.mark.parametrize(
    ("dataset", "changes", "key"),
    [
        ("flickr8k", {"source": "data/raw"}, "datasets.flickr8k.source"),
        ("conceptual_captions", {"source": "metrics"}, "datasets.conceptual_captions.source"),
        ("karpathy", {"annotations": "data/raw/dataset.json"}, "datasets.karpathy.annotations"),
        ("karpathy", {"images": ["a", "data/raw"]}, r"datasets.karpathy.images\[1\]"),
    ],
)
def test_every_place_of_every_dataset_is_checked(dataset, changes, key):
    with pytest.raises(InputError, match=f"^{key}: "):
        check_inputs(params(dataset, **changes))


def test_the_place_in_the_environment_is_checked(monkeypatch):
    monkeypatch.setenv("CAPTIONING_SOURCE", "data/model/copies")
    with pytest.raises(InputError, match="^CAPTIONING_SOURCE: data/model/copies is in data/model"):
        check_inputs(params("flickr8k"))


def test_other_places_are_accepted():
    for dataset in ("scenes", "flickr8k", "coco_captions", "conceptual_captions", "karpathy"):
        check_inputs(params(dataset))
    check_inputs(params("folder", path="data/example"))
    # Archives beside the project's own folders: only they are read.
    check_inputs(params("flickr8k", source="."))
    check_inputs(params("folder", path="data/raw-pictures"))


def test_all_outputs_of_all_stages_are_known():
    for stage in STAGES.values():
        figures = [path for entry in stage["metrics"] for path in entry]
        plots = [next(iter(p)) if isinstance(p, dict) else p for p in stage.get("plots", [])]
        for out in (*stage["outs"], *figures, *plots):
            assert any(Path(out).is_relative_to(known) for known in OUTPUTS), out
