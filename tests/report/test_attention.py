"""Attention maps in reports: those of the decoder, word by word, in 8 bits."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from report_project import MAP

from captioning.core.errors import InputError
from captioning.data.record_folder import RecordFolder
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.evaluation.caption_split import caption_split
from captioning.model.bundle import load_bundle
from captioning.report.attention import attention_of_captions, packed, word_maps


def unpacked(text: str) -> np.ndarray:
    levels = np.frombuffer(base64.b64decode(text), np.uint8).astype(np.float32)
    levels = levels.reshape(-1, 1 + MAP[0] * MAP[1]) / 255
    return (levels[:, :1] * levels[:, 1:]).reshape(-1, *MAP[:2])


@pytest.mark.slow
def test_maps_are_those_that_the_decoder_had_while_it_wrote(scenes_project):
    bundle = load_bundle(scenes_project / "data/model")
    decoder = make_decoder(bundle.decoder, DecodingSettings("greedy"))
    features = RecordFolder.open(scenes_project / "data/features")
    raw = scenes_project / "data/raw"
    images = list(caption_split(bundle, decoder, features, raw, "test", batch_images=8))
    captions = {image.prediction.image_id: image.prediction.caption for image in images}
    found = attention_of_captions(scenes_project, "test", captions)
    assert found.grid == MAP[:2] and found.maps.keys() == captions.keys()
    for image in images:
        maps = unpacked(found.maps[image.prediction.image_id])
        np.testing.assert_allclose(maps, image.word_attention, atol=1.5 / 255)


@pytest.mark.slow
def test_captions_that_the_vocabulary_does_not_spell_have_no_map(scenes_project):
    captions = {"scene-test-000000": "an unheardof word", "scene-test-000001": ""}
    assert attention_of_captions(scenes_project, "test", captions).maps == {}


@pytest.mark.slow
def test_features_of_another_model_are_refused(scenes_project, tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("model", "features"):
        (tmp_path / "data" / name).mkdir()
        for file in (scenes_project / "data" / name).iterdir():
            (tmp_path / "data" / name / file.name).write_bytes(file.read_bytes())
    shard = next((tmp_path / "data/features").glob("test-*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"data/features/{shard.name} is missing or truncated"):
        attention_of_captions(tmp_path, "test", {})


def test_pieces_of_a_word_share_its_map():
    maps = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    words = word_maps(maps, [0, 1, 1])
    np.testing.assert_array_equal(words, [maps[0], (maps[1] + maps[2]) / 2])


def test_packed_maps_keep_shares_to_one_255th():
    maps = np.random.default_rng(1).dirichlet(np.full(12, 0.3), 5).reshape(5, 3, 4)
    np.testing.assert_allclose(unpacked(packed(maps.astype(np.float32))), maps, atol=1.5 / 255)
