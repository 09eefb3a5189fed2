"""The note on what a model knows."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from captioning.known_data import caption_language, model_note
from captioning.model.bundle import Bundle
from captioning.model.familiarity import Familiarity
from captioning.params.choices import DatasetName

KNOWN = Familiarity(np.ones(4, "float32"), np.ones((2, 4), "float32"), np.array(1, "float32"))


def bundle(dataset: str | None, familiarity: Familiarity | None) -> Bundle:
    # Neither decoder nor vocabulary matters for the note.
    return Bundle(None, None, {}, dataset, familiarity)  # type: ignore[arg-type]


@pytest.mark.parametrize("dataset", get_args(DatasetName))
def test_the_note_names_every_dataset_and_says_what_its_pictures_are(dataset):
    note = model_note(bundle(dataset, KNOWN))
    assert note.startswith(f"This model was trained on the data set {dataset} (")
    assert note.count(". ") == 1 and note.endswith("their captions may be wrong.")


def test_the_note_says_what_is_unknown():
    note = model_note(bundle(None, None))
    assert note.startswith("It is not recorded on which data set")
    assert "cannot tell which pictures" in note
    assert "data set my_own." in model_note(bundle("my_own", None))


def test_the_language_is_known_only_where_the_dataset_fixes_it():
    languages = {name: caption_language(name) for name in get_args(DatasetName)}
    assert [name for name, language in languages.items() if language is None] == [
        "karpathy",
        "folder",
    ]
    assert set(languages.values()) == {"en", None}
    assert caption_language(None) is caption_language("my_own") is None
