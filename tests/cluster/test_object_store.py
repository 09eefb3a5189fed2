"""Files in an object store, and features extracted with one."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_table import write_scenes
from s3_server import BUCKET, client, objects, s3_server

from captioning.cluster.object_store import Store
from captioning.core.errors import InputError
from captioning.core.files import sha256
from captioning.core.opening import write_sealed_json
from captioning.extractors import Extractor, make_extractor
from captioning.features.remote import extract_remotely
from captioning.features.write_features import write_features


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture(params=["s3", "folder"])
def store(request, tmp_path) -> Store:
    place = f"s3://{BUCKET}/{tmp_path.name}" if request.param == "s3" else f"file://{tmp_path}/it"
    return Store(place)


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    return path


def test_a_file_that_was_put_can_be_read_and_copied_back(store, file, tmp_path):
    store.put(file, "shards/one")
    assert store.size("shards/one") == 10
    assert (store / "shards").read("one") == b"some bytes"
    store.get("shards/one", tmp_path / "again", sha256(file))
    assert (tmp_path / "again").read_bytes() == b"some bytes"


def test_a_missing_file_has_no_size_and_no_content(store):
    assert store.size("nothing") is None
    assert store.read("nothing") is None
    store.remove("nothing")


def test_files_written_by_another_machine_are_seen_at_once(store, file):
    (store / "shards").put(file, "one")
    assert store.size("shards/two") is None
    Store(store.url).put(file, "shards/two")
    assert store.size("shards/two") == 10


def test_a_folder_is_removed_with_its_content(store, file):
    for name in ("shards/one", "shards/two", "other"):
        store.put(file, name)
    store.remove("shards")
    assert store.size("shards/one") is None and store.size("shards/two") is None
    assert store.size("other") == 10


def test_a_damaged_file_is_refused_and_removed(store, file, tmp_path):
    store.put(file, "one")
    with pytest.raises(InputError, match=r"/one was damaged .* removed"):
        store.get("one", tmp_path / "again", "0" * 64)
    assert store.size("one") is None
    assert [path.name for path in tmp_path.iterdir() if "again" in path.name] == []


def test_no_half_written_file_is_left_in_a_folder(file, tmp_path):
    store = Store(f"file://{tmp_path}/it")
    store.put(file, "one")
    with pytest.raises(InputError, match="missing"):
        store.put(tmp_path / "missing", "two")
    assert [path.name for path in (tmp_path / "it").iterdir()] == ["one"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://nowhere/x", "s3://nowhere/x/one: .*bucket does not exist: check the URL"),
        ("what://x", "what://x: Protocol not known: what"),
    ],
)
def test_a_store_that_does_not_exist_is_named(url, message, file):
    with pytest.raises(InputError, match=message):
        Store(url).put(file, "one")


@pytest.mark.skipif(importlib.util.find_spec("adlfs") is not None, reason="adlfs is installed")
def test_a_missing_package_is_named():
    with pytest.raises(InputError, match=r"abfs://container: .*adlfs.*pip install -e '.\[cluster"):
        Store("abfs://container")


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return make_extractor("efficientnet_lite0", 32)


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Six images, one shard for each split."""
    counts = {"train_images": 4, "validation_images": 1, "test_images": 1}
    return write_scenes(tmp_path_factory.mktemp("raw"), 1, 64, **counts)


def features(raw: Path, folder: Path, extractor: Extractor) -> dict[str, bytes]:
    """Run the stage's work and return the files that it writes."""
    scratch, target = folder / "0123456789abcdef", folder / "features"
    for path in (scratch, target):
        path.mkdir(parents=True)
    extract_remotely(raw, scratch, extractor, "float16")
    write_features(raw, target, extractor, "float16", scratch)
    return {path.name: path.read_bytes() for path in target.iterdir()}


@pytest.mark.slow
def test_features_with_a_store_are_the_same_and_raw_shards_are_uploaded_once(
    raw, extractor, tmp_path, monkeypatch
):
    expected = features(raw, tmp_path / "here", extractor)
    monkeypatch.setenv("CAPTIONING_STORE", f"s3://{BUCKET}/work")
    assert features(raw, tmp_path / "first", extractor) == expected
    # Raw shards stay in the store for other extractors; features are removed from it.
    uploaded = {f"work/raw/{sha256(path)}.parquet" for path in raw.iterdir()}
    assert set(objects("work/")) == uploaded
    for key in uploaded:  # A second upload would remove the mark.
        mark = {"TagSet": [{"Key": "first", "Value": "yes"}]}
        client().put_object_tagging(Bucket=BUCKET, Key=key, Tagging=mark)
    assert features(raw, tmp_path / "second", extractor) == expected
    for key in uploaded:
        assert client().get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"], "uploaded again"


@pytest.mark.slow
def test_finished_shards_in_the_store_are_used(raw, extractor, tmp_path, monkeypatch):
    """A machine that continues the work of a lost one does not extract them again."""
    place = f"s3://{BUCKET}/lost"
    monkeypatch.setenv("CAPTIONING_STORE", place)
    expected = features(raw, tmp_path / "first", extractor)
    (summary,) = json.loads(expected["index.json"])["splits"]["train"]
    shard = tmp_path / "first/features" / summary["file"]
    write_sealed_json(tmp_path / "summary", summary)
    delivered = Store(f"{place}/features/0123456789abcdef")
    delivered.put(shard, shard.name)
    delivered.put(tmp_path / "summary", f"{shard.stem}.json")
    # Its raw shard is not needed now, so it does not matter that it is damaged in the store.
    damaged = Store(f"{place}/raw")
    raw_shard = raw / f"{shard.stem}.parquet"
    (tmp_path / "zeros").write_bytes(bytes(raw_shard.stat().st_size))
    damaged.put(tmp_path / "zeros", f"{sha256(raw_shard)}.parquet")
    assert features(raw, tmp_path / "second", extractor) == expected
    with pytest.raises(InputError, match="checksum differs"):
        features(raw, tmp_path / "third", extractor)


@pytest.mark.slow
def test_a_wrong_bucket_is_named_before_anything_is_extracted(
    raw, extractor, tmp_path, monkeypatch
):
    monkeypatch.setenv("CAPTIONING_STORE", "s3://no-such-bucket/x")
    with pytest.raises(InputError, match=r"s3://no-such-bucket/x/raw/.*bucket does not exist"):
        features(raw, tmp_path, extractor)
