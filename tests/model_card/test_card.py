"""A model card is complete, has a header that hubs read, and no figures of another model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from captioning.core.opening import DamagedError
from captioning.model_card.card import (
    CARD_FILE,
    FACTS_FILE,
    CardAdditions,
    CardFacts,
    Metric,
    model_card,
    read_card_facts,
    write_card,
)
from captioning.model_card.texts import BACKBONES, DATASETS
from captioning.params import choices

FACTS = CardFacts(
    dataset="scenes",
    images={"train": 3600, "validation": 200, "test": 600},
    extractor="efficientnet_lite0",
    image_size=224,
    weights_sha256="ab" * 32,
    vocabulary_size=69,
    parameters=2_478_917,
    validation={"val_accuracy": 0.798, "val_cross_entropy": 0.622, "val_loss": 1.18},
    settings={"model": {"layers": 2, "key_size": None}, "train": {"seed": 1}},
)
BLEU = Metric("BLEU-4", "bleu", 0.782993, (0.762869, 0.803549))


def _header(card: str) -> dict[str, Any]:
    _, header, _ = card.split("---\n", 2)
    return YAML(typ="safe").load(header)


def test_the_header_has_what_hubs_read() -> None:
    header = _header(model_card(FACTS))
    assert header["language"] == "en"
    assert header["license"] == "apache-2.0"
    assert header["pipeline_tag"] == "image-to-text"
    assert header["datasets"] == ["scenes"]
    assert header["metrics"] == ["accuracy", "cross_entropy"]
    (result,) = header["model-index"][0]["results"]
    assert result["dataset"] == {"type": "scenes", "name": "scenes", "split": "validation"}
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {
        "accuracy": 0.798,
        "cross_entropy": 0.622,
    }


def test_figures_of_the_test_split_have_intervals_and_a_signature() -> None:
    card = model_card(FACTS, CardAdditions("Load it.", [BLEU], "BLEU tok:none", "0123abc"))
    result = _header(card)["model-index"][0]["results"][1]
    assert result["dataset"]["split"] == "test"
    assert result["metrics"] == [
        {"type": "bleu", "name": "BLEU-4 (95% interval 0.763 to 0.804)", "value": 0.782993}
    ]
    for text in ("| test | BLEU-4 | 0.783 | 0.763 to 0.804 |", "BLEU tok:none", "`0123abc`"):
        assert text in card
    assert "Load it." in card and "captioning caption" not in card


def test_a_card_of_training_says_that_it_has_no_test_figures() -> None:
    assert "no figures of a test split" in model_card(FACTS)
    assert "Git commit" not in model_card(FACTS)


def test_settings_are_yaml_that_can_be_read_back() -> None:
    block = model_card(FACTS).split("```yaml\n")[1].split("```")[0]
    assert YAML(typ="safe").load(block) == FACTS.settings


@pytest.mark.parametrize("dataset", get_args(choices.DatasetName))
@pytest.mark.parametrize("extractor", get_args(choices.ExtractorName))
def test_every_dataset_and_backbone_has_a_card(dataset: str, extractor: str) -> None:
    facts = dataclasses.replace(FACTS, dataset=dataset, extractor=extractor)
    card = model_card(facts)
    assert DATASETS[dataset].license in card and BACKBONES[extractor].license in card
    assert ("language" in _header(card)) == (DATASETS[dataset].language is not None)
    assert "None" not in card


def test_facts_are_read_back_and_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
        write_card(folder, FACTS)
    assert read_card_facts(folders[0]) == FACTS
    for name in (CARD_FILE, FACTS_FILE):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_model_of_an_earlier_version_has_no_facts(tmp_path: Path) -> None:
    assert read_card_facts(tmp_path) is None


def test_damaged_facts_are_refused(tmp_path: Path) -> None:
    write_card(tmp_path, FACTS)
    path = tmp_path / FACTS_FILE
    path.write_text(path.read_text().replace("3600", "9600"))
    with pytest.raises(DamagedError, match=r"card\.json is damaged"):
        read_card_facts(tmp_path)
