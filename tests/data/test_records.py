"""TFRecords: writing, parsing, checks against the index, and joining features with tokens."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError, read_sealed_json, write_sealed_json
from captioning.core.splits import SPLITS
from captioning.data.record_folder import RecordFolder
from captioning.data.record_spec import Field, RecordSpec
from captioning.data.record_writer import write_index, write_shards
from captioning.features.write_features import feature_spec
from captioning.tokens import TOKEN_SPEC
from captioning.training.batches import evaluation_batches, training_batches
from captioning.training.examples import joined

MAP = (2, 2, 3)


def feature_record(number: int) -> dict:
    return {"image_id": f"image-{number}", "features": np.full(MAP, number / 8, "float32")}


def token_record(number: int) -> dict:
    # Two captions, of 3 and of 3 + number % 4 tokens, [START] and [END] included.
    return {
        "image_id": f"image-{number}",
        "tokens": [[2, 4, 3], [2, *[5 + number] * (1 + number % 4), 3]],
    }


def write(folder, spec, record, images=10, shards=2):
    folder.mkdir()
    splits = {}
    for split in SPLITS:
        numbers = range(images if split == "train" else 4)
        columns = [[record(n) for n in numbers if n % shards == k] for k in range(shards)]
        splits[split] = write_shards(folder, split, spec, columns)
    write_index(folder, spec, splits, {"made_by": "test"})
    return folder


@pytest.fixture
def features(tmp_path):
    return write(tmp_path / "features", feature_spec(MAP, "float16"), feature_record)


@pytest.fixture
def tokens(tmp_path):
    return write(tmp_path / "tokens", TOKEN_SPEC, token_record)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_parsing_returns_the_serialized_feature_map_in_the_dtype_of_the_spec(dtype):
    spec = feature_spec(MAP, dtype)
    value = np.linspace(0, 6, 12).reshape(MAP)
    parsed = spec.parse(tf.constant(spec.serialize({"image_id": "ä", "features": value})))
    assert parsed["image_id"].numpy().decode() == "ä"
    np.testing.assert_array_equal(parsed["features"].numpy(), value.astype(dtype))


def test_parsing_returns_the_serialized_ragged_tokens():
    parsed = TOKEN_SPEC.parse(tf.constant(TOKEN_SPEC.serialize(token_record(2))))
    assert parsed["tokens"].to_list() == [[2, 4, 3], [2, 7, 7, 7, 3]]


def test_a_feature_map_of_another_shape_is_refused_by_name():
    with pytest.raises(InputError, match=r"record 'x', field features: shape \(1, 2, 3\)"):
        feature_spec(MAP, "float16").serialize({"image_id": "x", "features": np.ones((1, 2, 3))})


def test_a_value_too_large_for_half_precision_is_refused():
    with pytest.raises(InputError, match="not finite as float16: set `features.dtype: float32`"):
        feature_spec(MAP, "float16").serialize({"image_id": "x", "features": np.full(MAP, 1e6)})


def test_a_spec_can_be_saved_as_json_and_restored():
    spec = RecordSpec((Field("image_id", "string"), Field("tokens", "int32", (None, None))))
    assert RecordSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_folder_gives_its_counts_its_extra_facts_and_its_records_in_order(features):
    folder = RecordFolder.open(features)
    assert (folder.count("train"), folder.count("test"), folder.shards("train")) == (10, 4, 2)
    assert folder.extra == {"made_by": "test"}
    ids = [r["image_id"].decode() for r in folder.dataset("train", 1).as_numpy_iterator()]
    assert ids == ["image-1", "image-3", "image-5", "image-7", "image-9"]


def test_writing_the_same_records_again_gives_the_same_bytes(features, tmp_path):
    again = write(tmp_path / "again", feature_spec(MAP, "float16"), feature_record)
    names = {path.name for path in features.iterdir()}
    assert len(names) > 2 and names == {path.name for path in again.iterdir()}
    for name in names:
        assert (again / name).read_bytes() == (features / name).read_bytes()


def test_a_split_without_images_is_written_and_read(tmp_path):
    folder = write(tmp_path / "f", feature_spec(MAP, "float16"), feature_record, images=0)
    assert RecordFolder.open(folder).count("train") == 0
    assert list(RecordFolder.open(folder).dataset("train", 0)) == []


def test_an_image_id_that_occurs_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="image 'image-1' occurs twice in train"):
        write_shards(tmp_path, "train", TOKEN_SPEC, [[token_record(1)], [token_record(1)]])


def test_a_truncated_shard_is_refused_by_name(features):
    shard = features / "train-00001-of-00002.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-7])
    with pytest.raises(
        InputError, match=r"train-00001.*tfrecord is damaged \(it has .* bytes instead"
    ):
        RecordFolder.open(features)


def test_a_shard_with_an_altered_byte_is_refused_by_name(features):
    shard = features / "test-00000-of-00002.tfrecord"
    data = bytearray(shard.read_bytes())
    data[40] ^= 1
    shard.write_bytes(data)
    with pytest.raises(
        InputError, match=r"test-00000-of-00002\.tfrecord is damaged \(it was altered"
    ):
        RecordFolder.open(features)


def test_swapped_shards_are_refused(features):
    one, two = (features / f"train-0000{k}-of-00002.tfrecord" for k in (0, 1))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    with pytest.raises(
        InputError, match=r"damaged .*: delete it and run `dvc checkout .*features`"
    ):
        RecordFolder.open(features)


def test_a_missing_shard_or_index_is_refused_by_name(features):
    (features / "test-00001-of-00002.tfrecord").unlink()
    with pytest.raises(InputError, match="test-00001-of-00002.tfrecord is missing"):
        RecordFolder.open(features)
    (features / "index.json").unlink()
    with pytest.raises(InputError, match="index.json is missing"):
        RecordFolder.open(features)


def test_features_and_tokens_are_joined_in_the_order_of_the_raw_table(features, tokens):
    pair = RecordFolder.open(features), RecordFolder.open(tokens)
    ids = [example["image_id"].numpy().decode() for example in joined(*pair, "train")]
    assert ids == [f"image-{n}" for n in range(10)]


def test_tokens_in_another_order_than_the_features_are_refused_while_reading(features, tmp_path):
    other = write(tmp_path / "tokens", TOKEN_SPEC, lambda n: token_record(9 - n))
    pair = RecordFolder.open(features), RecordFolder.open(other)
    with pytest.raises(tf.errors.InvalidArgumentError, match="have different images"):
        list(joined(*pair, "train"))


def test_evaluation_batches_hold_every_image_once_with_packed_captions(features, tokens):
    pair = RecordFolder.open(features), RecordFolder.open(tokens)
    batches = list(evaluation_batches(*pair, "train", 4).as_numpy_iterator())
    assert [len(targets) for _, targets in batches] == [4, 4, 2]
    inputs, targets = batches[0]
    assert inputs["features"].shape == (4, *MAP)
    # Inputs omit the last token of each caption, targets the first; both are padded with 0.
    assert inputs["tokens"][2].tolist() == [2, 4, 2, 7, 7, 7, 0]
    assert targets[2].tolist() == [4, 3, 7, 7, 7, 3, 0]


def contents(batches, count):
    """The first value of each feature map, and the input tokens, of `count` batches."""
    return [
        (inputs["features"][:, 0, 0, 0].tolist(), inputs["tokens"].tolist())
        for inputs, _ in batches.take(count).as_numpy_iterator()
    ]


@pytest.mark.slow
def test_training_batches_follow_the_seed_and_change_every_epoch(features, tokens):
    pair = RecordFolder.open(features), RecordFolder.open(tokens)

    def batches(seed):
        return training_batches(*pair, "train", 2, None, seed)

    first = contents(batches(1), 20)
    assert first == contents(batches(1), 20)
    assert first != contents(batches(2), 20)
    assert first[:5] != first[5:10]


def test_training_uses_every_image_equally_often(features, tokens):
    pair = RecordFolder.open(features), RecordFolder.open(tokens)
    counts = {}
    for maps, _ in contents(training_batches(*pair, "train", 2, None, 1), 100):
        for value in maps:
            counts[value] = counts.get(value, 0) + 1
    assert len(counts) == 10
    # 200 images were drawn; at most one batch for each of the few lengths is not complete yet.
    assert min(counts.values()) >= 18 and max(counts.values()) <= 22


@pytest.mark.slow
def test_captions_per_image_limits_the_captions_of_each_image(features, tokens):
    pair = RecordFolder.open(features), RecordFolder.open(tokens)
    for _, packed in contents(training_batches(*pair, "train", 2, 1, 1), 10):
        assert packed and all(row.count(2) == 1 for row in packed)


def _broken_indexes() -> dict[str, object]:
    """Changes of an index that leave it JSON."""
    return {
        "no fields": lambda index: index.pop("fields"),
        "no splits": lambda index: index.pop("splits"),
        "no extra": lambda index: index.pop("extra"),
        "a list of splits": lambda index: index.update(splits=[]),
        "a split is missing": lambda index: index["splits"].pop("test"),
        "a split is no list": lambda index: index["splits"].update(test=None),
        "a split has another name": lambda index: index["splits"].update(dev=[]),
        "no file name": lambda index: index["splits"]["train"][0].pop("file"),
        "a path": lambda index: index["splits"]["train"][0].update(file="../../x.tfrecord"),
        "a size as text": lambda index: index["splits"]["train"][0].update(bytes="12"),
        "a negative number": lambda index: index["splits"]["train"][0].update(examples=-1),
        "no checksum": lambda index: index["splits"]["train"][0].update(sha256=None),
        "another dtype": lambda index: index["fields"][1].update(dtype="complex64"),
        "a negative shape": lambda index: index["fields"][1].update(shape=[-2, 2, 3]),
        "a shape as text": lambda index: index["fields"][1].update(shape="2x2"),
        "a list of facts": lambda index: index.update(extra=["made_by"]),
    }


@pytest.mark.parametrize("name", _broken_indexes())
def test_an_index_of_another_form_is_damage_even_with_a_right_checksum(features, name):
    index = read_sealed_json(features / "index.json")
    _broken_indexes()[name](index)
    write_sealed_json(features / "index.json", index)
    with pytest.raises(DamagedError, match=r"index\.json is damaged \(.*: delete it and run `dvc "):
        RecordFolder.open(features)


def test_an_edited_index_is_damage(features):
    path = features / "index.json"
    path.write_text(path.read_text().replace('"examples": 5', '"examples": 6'))
    with pytest.raises(DamagedError, match="does not agree with its checksum"):
        RecordFolder.open(features)
