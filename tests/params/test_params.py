"""The schema of params.yaml: it accepts the repository's own file and names every bad value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from imports import ROOT
from pydantic import ValidationError
from ruamel.yaml import YAML

from captioning.core.errors import InputError
from captioning.params.stages import load_params

OWN = ROOT / "params.yaml"
MISSING = object()


def own_values() -> dict[str, Any]:
    """The repository's params as YAML 1.2."""
    return dict(YAML(typ="safe", pure=True).load(OWN.read_text(encoding="utf-8")))


def with_values(folder: Path, **values: Any) -> Path:
    """The repository's params with some values replaced: `model__layers=0` is `model.layers: 0`."""
    params = own_values()
    for name, value in values.items():
        *sections, key = name.split("__")
        block = params
        for section in sections:
            block = block[section]
        if value is MISSING:
            del block[key]
        else:
            block[key] = value
    path = folder / "params.yaml"
    YAML().dump(params, path)
    return path


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_repositorys_own_params_are_valid():
    assert load_params(OWN).model_dump() == own_values()


@pytest.mark.parametrize("number", ["6e-4", "6.0e-4", "0.0006", "6E-04"])
def test_numbers_in_every_notation_are_numbers(tmp_path, number):
    text = OWN.read_text(encoding="utf-8")
    text, found = re.subn(r"(?m)^  learning_rate: .*$", f"  learning_rate: {number}", text)
    assert found == 1
    assert load_params(write(tmp_path, text)).train.learning_rate == 6e-4


@pytest.mark.parametrize(
    "values",
    [
        {"train__learning_rate": 1},
        {"train__clip_norm": None},
        {"train__patience": None},
        {"train__average_weights": 0.999},
        {"train__weight_decay": 0},
        {"model__dropout": 0.0},
        {"model__key_size": 48, "model__units": 250},
        {"dataset": "flickr8k"},
        {"dataset": "conceptual_captions"},
        {"datasets__conceptual_captions__train_images": None},
        {"datasets__conceptual_captions__validation_images": None},
        {"vocabulary__max_size": 5},
        {"vocabulary__kind": "subword", "vocabulary__character_coverage": 1},
        {"vocabulary__normalization": "nfkc", "vocabulary__punctuation": "keep"},
        {"evaluate__tokenizer": "ko-mecab"},
        {"evaluate__decoder": "greedy", "evaluate__beam_width": 1},
    ],
    ids=str,
)
def test_valid_values_are_accepted(tmp_path, values):
    params = load_params(with_values(tmp_path, **values)).model_dump()
    for name, value in values.items():
        found = params
        for key in name.split("__"):
            found = found[key]
        assert found == value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model__layer", 2, "model.layer: unknown key"),
        ("extractor", {"name": "x"}, "extractor: unknown key"),
        ("datasets__coco", {}, "datasets.coco: unknown key"),
        ("model__layers", MISSING, "model.layers: is missing"),
        ("evaluate", MISSING, "evaluate: is missing"),
        ("datasets__scenes__seed", MISSING, "datasets.scenes.seed: is missing"),
        ("model__layers", 0, "model.layers: .*greater than or equal to 1 .found 0"),
        ("model__layers", "2", "model.layers: .*valid integer .found '2'"),
        ("model__layers", 2.0, "model.layers: .*valid integer .found 2.0"),
        ("model__layers", True, "model.layers: .*valid integer .found True"),
        ("model__layers", None, "model.layers: .*valid integer .found None"),
        ("model__layers", [2], r"model.layers: .*valid integer .found \[2\]"),
        ("model__tie_embeddings", "yes", "model.tie_embeddings: .*valid boolean .found 'yes'"),
        ("model__tie_embeddings", 1, "model.tie_embeddings: .*valid boolean .found 1"),
        ("model__dropout", 1.0, "model.dropout: .*less than or equal to 0.99 .found 1.0"),
        ("model__dropout", -0.1, "model.dropout: .*greater than or equal to 0 .found -0.1"),
        ("model__activation", "swish", "model.activation: .*'relu' or 'gelu' .found 'swish'"),
        ("model__max_length", 2, "model.max_length: .*greater than or equal to 3 .found 2"),
        ("model", None, "model: .*found None"),
        ("train__batch_images", -1, "train.batch_images: .*greater than or equal to 1 .found -1"),
        ("train__batch_images", 0, "train.batch_images: .*greater than or equal to 1 .found 0"),
        ("train__learning_rate", 0, "train.learning_rate: .*greater than 0 .found 0"),
        ("train__learning_rate", "6e-4 ", "train.learning_rate: .*valid number .found '6e-4 '"),
        ("train__learning_rate", float("nan"), "train.learning_rate: .*found nan"),
        ("train__learning_rate", float("inf"), "train.learning_rate: .*finite number .found inf"),
        ("train__clip_norm", -1.0, "train.clip_norm: .*greater than 0 .found -1.0"),
        ("train__patience", 0, "train.patience: .*greater than or equal to 1 .found 0"),
        ("train__seed", -1, "train.seed: .*greater than or equal to 0 .found -1"),
        ("train__seed", 2**31, "train.seed: .*less than 2147483648 .found 2147483648"),
        ("train__self_critical__epochs", -1, "train.self_critical.epochs: .*equal to 0 .found -1"),
        ("train__self_critical__captions", 1, "train.self_critical.captions: .*to 2 .found 1"),
        ("train__self_critical__baseline", 0, "train.self_critical.baseline: unknown key"),
        ("features__extractor", "resnet50", "features.extractor: .*found 'resnet50'"),
        ("features__image_size", 225, "features.image_size: .*multiple of 32 .found 225"),
        ("features__dtype", "float64", "features.dtype: .*found 'float64'"),
        ("dataset", "coco", "dataset: .*'scenes', 'flickr8k', .*'folder' .found 'coco'"),
        ("download__shards", 0, "download.shards: .*greater than or equal to 1 .found 0"),
        ("vocabulary__max_size", 4, "vocabulary.max_size: .*greater than or equal to 5 .found 4"),
        ("vocabulary__min_count", 0, "vocabulary.min_count: .*or equal to 1 .found 0"),
        ("vocabulary__kind", "char", "vocabulary.kind: .*'word' or 'subword' .found 'char'"),
        (
            "vocabulary__character_coverage",
            0.5,
            "vocabulary.character_coverage: .*to 0.98 .found 0.5",
        ),
        ("vocabulary__normalization", "nfd", "vocabulary.normalization: .*found 'nfd'"),
        ("vocabulary__lowercase", 1, "vocabulary.lowercase: .*valid boolean .found 1"),
        ("vocabulary__punctuation", True, "vocabulary.punctuation: .*found True"),
        ("evaluate__tokenizer", "13a", "evaluate.tokenizer: .*found '13a'"),
        ("evaluate__beam_width", 0, "evaluate.beam_width: .*or equal to 1 .found 0"),
        ("evaluate__temperature", 0.0, "evaluate.temperature: .*equal to 0.001 .found 0.0"),
        ("evaluate__bootstrap_samples", 10, "evaluate.bootstrap_samples: .*equal to 100 .found 10"),
        ("datasets__flickr8k__images_md5", "F18A", "datasets.flickr8k.images_md5: .*found 'F18A'"),
        (
            "datasets__conceptual_captions__test_images",
            None,
            "datasets.conceptual_captions.test_images: .*found None",
        ),
        (
            "datasets__conceptual_captions__max_failed_share",
            1.0,
            "datasets.conceptual_captions.max_failed_share: .*less than 1 .found 1.0",
        ),
        ("datasets__folder__path", "", "datasets.folder.path: .*at least 1 character"),
        ("datasets__folder__test_share", 0, "datasets.folder.test_share: .*than 0 .found 0"),
        ("datasets__flickr8k__source", "", "datasets.flickr8k.source: .*at least 1 character"),
        ("datasets__karpathy__restval", "val", "datasets.karpathy.restval: .*found 'val'"),
        ("datasets__coco_captions__train_images", 0, "datasets.coco_captions.train_images: .*or"),
        ("datasets__coco_captions__source", "coco", "datasets.coco_captions.source: .*'tfds'"),
        ("datasets__coco_captions__tfds_version", "1.1", "datasets.coco_captions.tfds_version: "),
        (
            "datasets__coco_captions__images",
            ["/data/coco"],
            "datasets.coco_captions: images_md5 has 2 MD5 sums for 1 images: .*or null",
        ),
        (
            "datasets__coco_captions__images_md5",
            None,
            "datasets.coco_captions: http://.*train2014.zip is downloaded, so its MD5 sum",
        ),
    ],
)
def test_a_bad_value_is_refused_by_name(tmp_path, name, value, message):
    with pytest.raises(InputError, match=rf"params\.yaml has 1 problem:\n  {message}") as caught:
        load_params(with_values(tmp_path, **{name: value}))
    assert str(caught.value).count("\n") == 1
    assert "pydantic" not in str(caught.value)


def test_units_must_be_divisible_by_heads_unless_key_size_is_set(tmp_path):
    values = {"model__units": 250, "model__heads": 4, "model__key_size": None}
    message = r"problem:\n  model: units \(250\) is not divisible by heads \(4\): .*set key_size$"
    with pytest.raises(InputError, match=message):
        load_params(with_values(tmp_path, **values))


def test_a_batch_cannot_have_more_parts_than_images(tmp_path):
    values = {"train__batch_images": 4, "train__parts": 5}
    message = r"problem:\n  train: parts \(5\) is larger than batch_images \(4\): every part"
    with pytest.raises(InputError, match=message):
        load_params(with_values(tmp_path, **values))


def test_min_objects_must_not_exceed_max_objects(tmp_path):
    values = {"datasets__scenes__min_objects": 5, "datasets__scenes__max_objects": 4}
    message = r"\n  datasets.scenes: min_objects \(5\) is larger than max_objects \(4\)$"
    with pytest.raises(InputError, match=message):
        load_params(with_values(tmp_path, **values))


def test_shares_of_a_folder_must_leave_something_to_train_on(tmp_path):
    values = {"datasets__folder__validation_share": 0.5, "datasets__folder__test_share": 0.5}
    message = r"datasets.folder: validation_share \(0.5\) and test_share \(0.5\) leave nothing to"
    with pytest.raises(InputError, match=message):
        load_params(with_values(tmp_path, **values))


def test_all_problems_are_listed_at_once(tmp_path):
    path = with_values(
        tmp_path,
        dataset="coco",
        model__layers=0,
        model__layer=2,
        train__batch_images=-1,
        train__epochs=MISSING,
        evaluate__decoder=3,
    )
    with pytest.raises(InputError, match=r"params\.yaml has 6 problems:\n") as caught:
        load_params(path)
    problems = str(caught.value).splitlines()[1:]
    assert sorted(problem.split(":")[0].strip() for problem in problems) == [
        "dataset",
        "evaluate.decoder",
        "model.layer",
        "model.layers",
        "train.batch_images",
        "train.epochs",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must contain a mapping of sections"),
        ("- a\n- b\n", "must contain a mapping of sections"),
        ("dataset: scenes\n  model: [\n", "is not valid YAML"),
        ("dataset: scenes\ndataset: flickr8k\n", "is not valid YAML: .*duplicate key"),
    ],
)
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"(?s)params\.yaml {message}"):
        load_params(write(tmp_path, text))


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"dataset: \xff\n")
    with pytest.raises(InputError, match=r"params\.yaml is not valid YAML"):
        load_params(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"params\.yaml is missing: run from the repository's root"
    ):
        load_params(tmp_path / "params.yaml")


def test_params_do_not_change_after_loading():
    params = load_params(OWN)
    with pytest.raises(ValidationError, match="frozen"):
        params.model.layers = 3
