"""What `data/model` holds beside the decoder: the data set, and which pictures are familiar."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_training import make_decoder

from captioning.core.errors import InputError
from captioning.core.files import read_json
from captioning.core.opening import DamagedError, read_sealed_json, write_sealed_json
from captioning.model.bundle import Bundle, load_bundle, save_bundle
from captioning.model.familiarity import Familiarity
from captioning.text import SPECIAL_TOKENS, WordVocabulary

SOURCE = {"extractor": "none", "image_size": 64, "weights_sha256": "0" * 64}
KNOWN = Familiarity(np.ones(4, "float32"), np.eye(2, 4, dtype="float32"), np.array(2, "float32"))


@pytest.fixture
def bundle() -> Bundle:
    words = WordVocabulary((*SPECIAL_TOKENS, *"abcdefgh"))
    return Bundle(make_decoder(), words, SOURCE, "scenes", KNOWN)


def test_data_set_and_familiarity_are_saved_and_loaded(bundle, tmp_path):
    save_bundle(tmp_path, bundle)
    loaded = load_bundle(tmp_path)
    assert loaded.dataset == "scenes" and loaded.source == SOURCE
    assert loaded.familiarity is not None
    for found, wanted in zip(loaded.familiarity, KNOWN, strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)


def test_what_is_unknown_stays_unknown(bundle, tmp_path):
    save_bundle(tmp_path, bundle._replace(dataset=None, familiarity=None))
    assert read_json(tmp_path / "captioner.json")["dataset"] is None
    assert not (tmp_path / "familiarity.npz").exists()
    assert load_bundle(tmp_path)[3:] == (None, None)


def test_a_model_of_an_earlier_version_is_read_and_nothing_is_known(bundle, tmp_path):
    save_bundle(tmp_path, bundle)
    values = read_sealed_json(tmp_path / "captioner.json")
    del values["dataset"], values["familiarity_sha256"]
    write_sealed_json(tmp_path / "captioner.json", values)
    (tmp_path / "familiarity.npz").unlink()
    assert load_bundle(tmp_path)[3:] == (None, None)


def test_a_missing_or_altered_familiarity_is_refused(bundle, tmp_path):
    save_bundle(tmp_path, bundle)
    other = tmp_path / "other"
    save_bundle(other, bundle._replace(familiarity=KNOWN._replace(mean=KNOWN.mean * 2)))
    (tmp_path / "familiarity.npz").write_bytes((other / "familiarity.npz").read_bytes())
    with pytest.raises(DamagedError, match="its checksum is not that in captioner.json"):
        load_bundle(tmp_path)
    (tmp_path / "familiarity.npz").unlink()
    with pytest.raises(InputError, match=r"familiarity\.npz is missing"):
        load_bundle(tmp_path)


def test_a_data_set_that_is_no_text_is_refused(bundle, tmp_path):
    save_bundle(tmp_path, bundle)
    values = read_sealed_json(tmp_path / "captioner.json")
    write_sealed_json(tmp_path / "captioner.json", {**values, "dataset": 3})
    with pytest.raises(DamagedError, match=r"captioner\.json is damaged \(dataset is no text"):
        load_bundle(tmp_path)
