"""Captioning a split: every image once, in order, with the features that belong to it."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from raw_table import write_scenes

from captioning.core.errors import InputError
from captioning.core.splits import SPLITS
from captioning.data.raw_table import raw_shards, read_raw, read_raw_shard
from captioning.data.record_folder import RecordFolder
from captioning.data.record_writer import write_index, write_shards
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.evaluation.caption_split import CaptionedImage, caption_split
from captioning.evaluation.predictions import Prediction
from captioning.features.write_features import feature_spec
from captioning.model import CaptionDecoder
from captioning.model.bundle import Bundle
from captioning.text import SubwordVocabulary, Vocabulary, WordVocabulary, output_bias

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
            ids = [row["image_id"] for row in read_raw_shard(raw_shards(raw, split)[shard])]
            ids = ids[::-1] if reverse else ids
            shards.append([{"image_id": i, "features": random.normal(size=MAP)} for i in ids])
        splits[split] = write_shards(folder, split, spec, shards)
    write_index(folder, spec, splits, SOURCE)
    return RecordFolder.open(folder)


WORDS = ["a red star", "two blue rings"]


def make_bundle(vocabulary: Vocabulary | None = None) -> Bundle:
    keras.utils.set_random_seed(4)
    vocabulary = WordVocabulary.fit(WORDS, 100, 1) if vocabulary is None else vocabulary
    decoder = CaptionDecoder(len(vocabulary), MAP, units=16, heads=2, max_length=8)
    decoder.set_output_bias(output_bias(vocabulary.count(WORDS)))
    return Bundle(decoder, vocabulary, SOURCE)


def test_every_image_is_captioned_once_with_a_map_for_every_word(raw):
    bundle = make_bundle()
    decoder = make_decoder(bundle.decoder, DecodingSettings("greedy"))
    features = write_features(raw)
    found = list(caption_split(bundle, decoder, features, raw, "test", batch_images=3))
    rows = list(read_raw(raw, "test"))
    assert [image.prediction.image_id for image in found] == [row["image_id"] for row in rows]
    for image, row in zip(found, rows, strict=True):
        assert list(image.prediction.references) == row["captions"]
        assert list(image.pieces) == image.prediction.caption.split()
        assert len(image.attention) == len(image.pieces)
        assert image.word_attention is image.attention
        np.testing.assert_allclose(image.attention.sum(axis=(1, 2)), 1, rtol=1e-5)


@pytest.mark.slow
def test_the_batch_size_changes_no_caption(raw):
    bundle = make_bundle()
    decoder = make_decoder(bundle.decoder, DecodingSettings(beam_width=2))
    features = write_features(raw)
    one, four = (
        [image.prediction.caption for image in caption_split(*given, batch_images=size)]
        for size in (1, 4)
        for given in [(bundle, decoder, features, raw, "test")]
    )
    assert one == four


def test_features_of_another_backbone_are_refused(raw):
    bundle = make_bundle()
    other = Bundle(bundle.decoder, bundle.vocabulary, {**SOURCE, "image_size": 96})
    decoder = make_decoder(bundle.decoder, DecodingSettings("greedy"))
    with pytest.raises(InputError, match="was extracted with .* but the model was trained on"):
        next(caption_split(other, decoder, write_features(raw), raw, "test", 4))


def test_features_in_another_order_than_the_raw_table_are_refused(raw):
    bundle = make_bundle()
    decoder = make_decoder(bundle.decoder, DecodingSettings("greedy"))
    features = write_features(raw, reverse=True)
    with pytest.raises(InputError, match="image 'scene-test-000000' has the features of"):
        next(caption_split(bundle, decoder, features, raw, "test", 4))


def test_each_subword_has_a_map_and_each_word_the_mean_of_its_subwords(raw):
    bundle = make_bundle(SubwordVocabulary.fit(WORDS, 24))
    decoder = make_decoder(bundle.decoder, DecodingSettings("sample", seed=2))
    found = list(caption_split(bundle, decoder, write_features(raw), raw, "test", 3))
    assert any(len(image.pieces) > len(set(image.words)) for image in found)
    for image in found:
        words = image.prediction.caption.split()
        assert len(image.attention) == len(image.pieces) == len(image.words)
        assert "".join(image.pieces).replace("▁", " ").split() == words
        assert image.word_attention.shape == (len(words), 2, 2)
        np.testing.assert_allclose(image.word_attention.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_the_map_of_a_word_is_the_mean_of_its_pieces():
    maps = np.arange(4 * 4, dtype=np.float32).reshape(4, 2, 2)
    said = Prediction(image_id="a", caption="ab cd", references=(), log_probability=-1.0)
    image = CaptionedImage({}, said, ("▁a", "b", "▁c", "d"), (0, 0, 1, 1), maps)
    np.testing.assert_array_equal(image.word_attention, [maps[:2].mean(0), maps[2:].mean(0)])
