"""Captioning a split: every image once, in order, with the features that belong to it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from raw_table import write_scenes

from captioning.captioner import Captioner
from captioning.decoding import make_decoder
from captioning.errors import InputError
from captioning.evaluation import caption_split
from captioning.features import feature_spec
from captioning.model import CaptionDecoder
from captioning.raw import read_raw
from captioning.record_folder import RecordFolder, write_index, write_shards
from captioning.shards import SPLITS
from captioning.text import WordVocabulary, output_bias

MAP = (2, 2, 4)
SHARDS = 2
SOURCE = {"extractor": "none", "image_size": 64, "weights_sha256": "0" * 64}


@pytest.fixture
def raw(tmp_path) -> Path:
    counts = {"train_images": 2, "validation_images": 2, "test_images": 7}
    return write_scenes(tmp_path / "raw", SHARDS, 64, **counts)


def write_features(raw: Path, reverse: bool = False) -> RecordFolder:
    """Random features for every image of a raw table, beside it."""
    folder = raw.parent / "features"
    folder.mkdir()
    random = np.random.default_rng(0)
    spec = feature_spec(MAP, "float32")
    splits = {}
    for split in SPLITS:
        shards = []
        for shard in range(SHARDS):
            ids = [row["image_id"] for row in read_raw(raw, split, shard=shard)]
            ids = ids[::-1] if reverse else ids
            shards.append([{"image_id": i, "features": random.normal(size=MAP)} for i in ids])
        splits[split] = write_shards(folder, split, spec, shards)
    write_index(folder, spec, splits, SOURCE)
    return RecordFolder.open(folder)


def make_captioner() -> Captioner:
    keras.utils.set_random_seed(4)
    words = ["a red star", "two blue rings"]
    vocabulary = WordVocabulary.fit(words, 100, 1)
    decoder = CaptionDecoder(len(vocabulary), MAP, units=16, heads=2, max_length=8)
    decoder.set_output_bias(output_bias(vocabulary.count(words)))
    return Captioner(decoder, vocabulary, SOURCE)


def test_every_image_is_captioned_once_with_a_map_for_every_word(raw):
    captioner = make_captioner()
    decoder = make_decoder(captioner.decoder, "greedy")
    features = write_features(raw)
    found = list(caption_split(captioner, decoder, features, raw, "test", batch_images=3))
    rows = list(read_raw(raw, "test"))
    assert [image.prediction.image_id for image in found] == [row["image_id"] for row in rows]
    for image, row in zip(found, rows, strict=True):
        assert list(image.prediction.references) == row["captions"]
        assert len(image.attention) == len(image.prediction.caption.split())
        np.testing.assert_allclose(image.attention.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_the_batch_size_changes_no_caption(raw):
    captioner = make_captioner()
    decoder = make_decoder(captioner.decoder, "beam", beam_width=2)
    features = write_features(raw)
    one, four = (
        [image.prediction.caption for image in caption_split(*given, batch_images=size)]
        for size in (1, 4)
        for given in [(captioner, decoder, features, raw, "test")]
    )
    assert one == four


def test_features_of_another_backbone_are_refused(raw):
    captioner = make_captioner()
    other = Captioner(captioner.decoder, captioner.vocabulary, {**SOURCE, "image_size": 96})
    decoder = make_decoder(captioner.decoder, "greedy")
    with pytest.raises(InputError, match="was extracted by .* but the model was trained on"):
        next(caption_split(other, decoder, write_features(raw), raw, "test", 4))


def test_features_in_another_order_than_the_raw_table_are_refused(raw):
    captioner = make_captioner()
    decoder = make_decoder(captioner.decoder, "greedy")
    features = write_features(raw, reverse=True)
    with pytest.raises(InputError, match="stand where the raw table has 'scene-test-000000'"):
        next(caption_split(captioner, decoder, features, raw, "test", 4))
