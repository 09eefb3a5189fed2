"""`coco_captions` end to end: from the split file and from what tfds prepares."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import coco
import pytest
from imports import ROOT
from small_repository import ENVIRONMENT, dvc, make_repository, run, set_params

from captioning.dataset_params import CocoCaptionsParams
from captioning.datasets import make_dataset
from captioning.datasets.base import Rejections
from captioning.datasets.coco_tfds import CocoTfds
from captioning.datasets.karpathy import Karpathy
from captioning.errors import InputError
from captioning.files import read_json
from captioning.params import load_params
from captioning.raw import read_raw

SPLITS = {"train": [42, 25, 9], "validation": [133, 74], "test": [73, 136]}


def params(folder: Path, **changes: Any) -> CocoCaptionsParams:
    """Params of a small release in `folder`."""
    values = coco.write_release(folder) | {"source": "karpathy", "tfds_version": "1.1.0"}
    return CocoCaptionsParams(**values | changes)


def settings(values: CocoCaptionsParams) -> dict[str, object]:
    """The same by their full names in params.yaml."""
    return {f"datasets.coco_captions.{k}": value for k, value in values.model_dump().items()}


def raw_table(folder: Path) -> dict[str, dict[int, tuple[bytes, list[str]]]]:
    """Image and captions by COCO's number, by split, in the table's order."""
    return {
        split: {
            coco.cocoid(row["image_id"]): (row["image"], row["captions"])
            for row in read_raw(folder / "data" / "raw", split)
        }
        for split in SPLITS
    }


def expected_table() -> dict[str, dict[int, tuple[bytes, list[str]]]]:
    """What a raw table of all images holds."""
    names = {coco.cocoid(name): name for name in coco.COLOURS}
    return {
        split: {
            number: (
                coco.picture(coco.COLOURS[names[number]]),
                [caption.strip() for caption in coco.captions_of(names[number])],
            )
            for number in numbers
        }
        for split, numbers in SPLITS.items()
    }


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A tfds folder that tfds' own builder of coco_captions wrote from COCO's files."""
    source, data = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("tfds")
    write_coco(source)
    code = (
        "import sys; from pathlib import Path\n"
        "import tensorflow_datasets as tfds\n"
        "source, data = map(Path, sys.argv[1:])\n"
        "unpacked = lambda self, urls: {key: source for key in urls}\n"
        "tfds.download.DownloadManager.download_and_extract = unpacked\n"
        "tfds.builder('coco_captions/2014:1.1.0', data_dir=data).download_and_prepare()\n"
    )
    run(ROOT, sys.executable, "-c", code, str(source), str(data))
    return data


def write_coco(folder: Path) -> None:
    """The unpacked archives that tfds' builder reads: images, instances, split file."""
    for member, data in coco.pictures().items():
        (folder / member).parent.mkdir(exist_ok=True)
        (folder / member).write_bytes(data)
    categories = [{"id": k, "name": f"category {k}"} for k in range(80)]
    (folder / "annotations").mkdir()
    for part in ("train2014", "val2014"):
        images = [
            {"id": coco.cocoid(name), "file_name": name, "height": 6, "width": 8}
            for name in coco.COLOURS
            if coco.folder_of(name) == part
        ]
        values = {"categories": categories, "images": images, "annotations": []}
        path = folder / "annotations" / f"instances_{part}.json"
        path.write_text(json.dumps(values), encoding="utf-8")
    (folder / "dataset_coco.json").write_text(json.dumps(coco.split_file()), encoding="utf-8")


def test_both_sources_have_a_reader(tmp_path):
    for source, reader in (("karpathy", Karpathy), ("tfds", CocoTfds)):
        shutil.copy(ROOT / "params.yaml", tmp_path)
        changes = {"dataset": "coco_captions", "datasets.coco_captions.source": source}
        set_params(tmp_path, changes)
        assert isinstance(make_dataset(load_params(tmp_path / "params.yaml")), reader)


@pytest.mark.slow
def test_an_experiment_reads_the_split_file_and_dvc_sees_other_params(tmp_path):
    repository = make_repository(tmp_path / "repository", **settings(params(tmp_path / "coco")))
    dvc(repository, "exp", "run", "download", "-S", "dataset=coco_captions")
    assert raw_table(repository) == expected_table()
    figures = read_json(repository / "metrics" / "download.json")
    assert figures["images"] == {"train": 3, "validation": 2, "test": 2}
    assert figures["captions"] == {"train": 6, "validation": 4, "test": 4}
    assert figures["rejected"] == figures["rejected_names"] == {}
    assert "up to date" in dvc(repository, "status", "download")

    # Other places of the same bytes don't change a result, and need no params.
    (tmp_path / "coco").rename(tmp_path / "moved")
    (repository / "data" / "raw").rename(tmp_path / "before")
    environment = {"CAPTIONING_SOURCE": str(tmp_path / "moved")}
    override = ("-S", "datasets.coco_captions.train_images=1")
    command = (sys.executable, "-m", "dvc", "exp", "run", "download", *override)
    run(repository, *command, **environment)
    assert list(raw_table(repository)["train"]) == [42]


@pytest.mark.slow
def test_an_experiment_reads_what_tfds_prepared(tmp_path, prepared):
    repository = make_repository(tmp_path / "repository", **settings(params(tmp_path / "coco")))
    source = ("-S", "dataset=coco_captions", "-S", "datasets.coco_captions.source=tfds")
    command = (sys.executable, "-m", "dvc", "exp", "run", "download", *source)
    run(repository, *command, TFDS_DATA_DIR=str(prepared))
    found = raw_table(repository)
    # tfds writes a split in an order of its own; its image bytes are those of the archives.
    assert found == expected_table()
    assert list(found["train"])[-1] == 42, "restval comes after train"
    assert read_json(repository / "metrics" / "download.json")["images"]["train"] == 3


READ = """
import sys
from captioning.dataset_params import CocoCaptionsParams
from captioning.datasets.base import Rejections
from captioning.datasets.coco_tfds import CocoTfds
"""


def test_a_machine_without_tfds_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"needs TensorFlow Datasets .*pip install -e '\.\[tfds\]'"):
        next(CocoTfds(params(tmp_path, source="tfds")).examples(Rejections()))
