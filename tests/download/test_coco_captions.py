"""`coco_captions` end to end: from Karpathy's split file, and as prepared by tfds."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import coco
import pytest
from imports import ROOT
from small_repository import dvc, make_repository, run, set_params

from captioning.core.errors import InputError
from captioning.core.files import read_json, write_json
from captioning.data.raw_table import read_raw
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.coco_tfds import CocoTfds
from captioning.download.datasets.karpathy import Karpathy
from captioning.download.datasets.registry import make_dataset
from captioning.evaluation.predictions import read_predictions
from captioning.params.datasets import CocoCaptionsParams
from captioning.params.stages import load_params

SPLITS = {"train": [42, 25, 9], "validation": [133, 74], "test": [73, 136]}


def params(folder: Path, **changes: Any) -> CocoCaptionsParams:
    """Write a small release to `folder`; return params that name it, with `changes`."""
    values = coco.write_release(folder) | {"source": "karpathy", "tfds_version": "1.1.0"}
    return CocoCaptionsParams(**values | changes)


def settings(values: CocoCaptionsParams) -> dict[str, object]:
    """The values of the params by their full names in params.yaml."""
    return {f"datasets.coco_captions.{k}": value for k, value in values.model_dump().items()}


def raw_table(folder: Path) -> dict[str, dict[int, tuple[bytes, list[str]]]]:
    """For each split, image and captions by number in COCO, in the table's order."""
    return {
        split: {
            coco.cocoid(row["image_id"]): (row["image"], row["captions"])
            for row in read_raw(folder / "data" / "raw", split)
        }
        for split in SPLITS
    }


def expected_table() -> dict[str, dict[int, tuple[bytes, list[str]]]]:
    """The same for a raw table of all images."""
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
    """A folder that tfds' own builder prepared, from small files instead of 40 GB of downloads."""
    import tensorflow_datasets as tfds

    source, data = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("tfds")
    write_coco(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tfds.download.DownloadManager,
            "download_and_extract",
            lambda self, urls: dict.fromkeys(urls, source),
        )
        builder = tfds.builder("coco_captions/2014:1.1.0", data_dir=data)
        builder.download_and_prepare()
    return data


def write_coco(folder: Path) -> None:
    """Write the unpacked archives that tfds' builder reads: images, instances, split file."""
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


def test_both_sources_have_a_dataset_class(tmp_path):
    for source, reader in (("karpathy", Karpathy), ("tfds", CocoTfds)):
        shutil.copy(ROOT / "params.yaml", tmp_path)
        changes = {"dataset": "coco_captions", "datasets.coco_captions.source": source}
        set_params(tmp_path, changes)
        assert isinstance(make_dataset(load_params(tmp_path / "params.yaml")), reader)


@pytest.mark.long
@pytest.mark.slow
def test_an_experiment_reads_the_split_file_with_images_in_archives_or_a_folder(tmp_path):
    values = params(tmp_path / "coco")
    quick = {"train.sample_images": 0, "evaluate.decoder": "greedy"}
    repository = make_repository(tmp_path / "repository", **settings(values), **quick)
    dvc(repository, "exp", "run", "-S", "dataset=coco_captions")
    assert raw_table(repository) == expected_table()
    figures = read_json(repository / "metrics" / "download.json")
    assert figures["images"] == {"train": 3, "validation": 2, "test": 2}
    assert figures["captions"] == {"train": 6, "validation": 4, "test": 4}
    assert figures["rejected"] == figures["rejected_names"] == {}
    assert "up to date" in dvc(repository, "status")
    predictions = read_predictions(repository / "data/predictions.jsonl")
    assert [row.image_id for row in predictions] == [
        row["image_id"] for row in read_raw(repository / "data/raw", "test")
    ]
    for row in predictions:
        assert row.file == f"val2014/{row.image_id}.jpg"

    for member, data in coco.pictures().items():
        (tmp_path / "images" / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / member).write_bytes(data)
    overrides = [
        "dataset=karpathy",
        f"datasets.karpathy.annotations={values.annotations}",
        f"datasets.karpathy.annotations_md5={values.annotations_md5}",
        "datasets.karpathy.split_file=dataset_coco.json",
        f"datasets.karpathy.images=[{tmp_path / 'images'}]",
        "datasets.karpathy.train_images=1",
    ]
    dvc(repository, "exp", "run", "download", *(o for v in overrides for o in ("-S", v)))
    assert {split: list(rows) for split, rows in raw_table(repository).items()} == {
        "train": [42],
        "validation": [133, 74],
        "test": [73, 136],
    }


@pytest.mark.long
@pytest.mark.slow
def test_an_experiment_reads_what_tfds_prepared(tmp_path, prepared):
    repository = make_repository(tmp_path / "repository", **settings(params(tmp_path / "coco")))
    source = ("-S", "dataset=coco_captions", "-S", "datasets.coco_captions.source=tfds")
    command = (sys.executable, "-m", "dvc", "exp", "run", "download", *source)
    run(repository, *command, TFDS_DATA_DIR=str(prepared))
    found = raw_table(repository)
    # tfds changes the order within a split, but the image bytes are those of the archives.
    assert found == expected_table()
    assert list(found["train"])[-1] == 42, "restval comes after train"
    assert read_json(repository / "metrics" / "download.json")["images"]["train"] == 3


@pytest.mark.slow
def test_parts_of_the_tfds_dataset_can_be_read_and_missing_parts_are_named(
    tmp_path, prepared, monkeypatch
):
    from tensorflow_datasets.core import constants

    def read(**changes: Any) -> list[tuple[str, int]]:
        dataset = CocoTfds(params(tmp_path / "coco", source="tfds", **changes))
        found = dataset.examples(Rejections())
        return [(example.split, coco.cocoid(example.image_id)) for example in found]

    monkeypatch.setattr(constants, "DATA_DIR", str(prepared))
    whole = read()
    assert read(restval="exclude") == [pair for pair in whole if pair[1] != 42]
    assert read(train_images=1, test_images=1) == [whole[0], *whole[3:6]]
    with pytest.raises(
        InputError, match=r"2014/1\.0\.0 contains no prepared dataset: set TFDS_DATA_DIR .*40 GB"
    ):
        read(tfds_version="1.0.0")

    damaged = tmp_path / "damaged"
    shutil.copytree(prepared, damaged)
    monkeypatch.setattr(constants, "DATA_DIR", str(damaged))
    folder = damaged / "coco_captions" / "2014" / "1.1.0"
    shard = folder / "coco_captions-val.tfrecord-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(
        InputError, match=r"1\.1\.0 cannot be read \(.*truncated record.*prepare it again"
    ):
        read()
    info = read_json(folder / "dataset_info.json")
    info["splits"] = [split for split in info["splits"] if split["name"] != "restval"]
    write_json(folder / "dataset_info.json", info)
    with pytest.raises(
        InputError, match=r"1\.1\.0 has no split restval \(it has: test, train, val\)"
    ):
        read()


def test_without_tfds_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(
        InputError, match=r"needs TensorFlow Datasets .*pip install -e '\.\[tfds\]'"
    ):
        next(CocoTfds(params(tmp_path, source="tfds")).examples(Rejections()))
