"""Atomic file writing, JSON, checksums and shard names."""

from __future__ import annotations

import hashlib
import json

import pytest

from captioning.core.errors import InputError
from captioning.core.files import atomic_path, fresh_folder, md5, read_json, sha256, write_json
from captioning.core.splits import SPLITS, shard_name, shard_paths


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "figure.png"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"complete")
        # Many writers choose the file format by the suffix.
        assert temporary.suffix == ".png"
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_bytes() == b"complete"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_removes_the_temporary_one(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="full disk"), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("full disk")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "é" * 125 + ".json", "x" * 255])
def test_a_name_that_is_as_long_as_names_can_be_is_written(tmp_path, name):
    path = tmp_path / name
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"complete")
        assert path.suffix in ("", temporary.suffix)
    assert list(tmp_path.iterdir()) == [path]


def test_a_read_only_link_is_replaced_and_its_target_is_unchanged(tmp_path):
    # This is how DVC stores an output when cache.type is symlink.
    cached = tmp_path / "cache"
    cached.write_bytes(b"cached")
    cached.chmod(0o444)
    path = tmp_path / "out.txt"
    path.symlink_to(cached)
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
    assert not path.is_symlink()
    assert path.read_bytes() == b"new"
    assert cached.read_bytes() == b"cached"


@pytest.mark.parametrize("before", ["nothing", "folder", "file", "link"])
def test_a_fresh_folder_is_empty_whatever_was_there_before(tmp_path, before):
    path, elsewhere = tmp_path / "data" / "out", tmp_path / "cache"
    elsewhere.mkdir()
    (elsewhere / "kept").write_bytes(b"kept")
    path.parent.mkdir()
    if before == "folder":
        (path / "deep").mkdir(parents=True)
        (path / "deep" / "stale").write_bytes(b"stale")
    elif before == "file":
        path.write_bytes(b"stale")
    elif before == "link":
        path.symlink_to(elsewhere)
    with fresh_folder(path) as folder:
        assert folder == path
        assert path.is_dir() and not path.is_symlink()
        assert list(path.iterdir()) == []
    assert (elsewhere / "kept").read_bytes() == b"kept"


def test_json_is_written_sorted_indented_and_in_utf_8(tmp_path):
    path = tmp_path / "metrics" / "a.json"
    write_json(path, {"b": [1, 2.5], "a": {"ü": None}})
    text = '{\n  "a": {\n    "ü": null\n  },\n  "b": [\n    1,\n    2.5\n  ]\n}\n'
    assert path.read_bytes() == text.encode()
    assert read_json(path) == {"b": [1, 2.5], "a": {"ü": None}}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_nan_and_infinity_and_keeps_the_old_file(tmp_path, value):
    path = tmp_path / "a.json"
    write_json(path, {"loss": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": value})
    assert json.loads(path.read_text()) == {"loss": 1}


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_checksums_agree_with_hashlib_for_sizes_around_the_chunk_size(tmp_path, size):
    path = tmp_path / "file"
    data = bytes(range(256)) * (size // 256 + 1)
    path.write_bytes(data[:size])
    assert sha256(path) == hashlib.sha256(data[:size]).hexdigest()
    assert md5(path) == hashlib.md5(data[:size]).hexdigest()


def make_empty_files(folder, names):
    for name in names:
        (folder / name).write_bytes(b"")


def test_shard_paths_are_in_order(tmp_path):
    names = [shard_name("train", shard, 12, "tfrecord") for shard in range(12)]
    assert names[10] == "train-00010-of-00012.tfrecord"
    make_empty_files(
        tmp_path, [*reversed(names), "index.json", shard_name("test", 0, 1, "tfrecord")]
    )
    assert shard_paths(tmp_path, "train", "tfrecord") == [tmp_path / name for name in names]
    assert shard_paths(str(tmp_path), "test", "tfrecord") == [
        tmp_path / "test-00000-of-00001.tfrecord"
    ]


@pytest.mark.parametrize(
    ("missing", "extra", "named"),
    [
        (2, None, r"train-00002-of-00004\.parquet"),
        (3, None, r"train-00003-of-00004\.parquet"),
        (0, None, r"train-00000-of-00004\.parquet"),
        (None, "train-00000-of-00002.parquet", "train-0000"),
        (None, "train-00000-of-00004 (copy).parquet", r"train-00000-of-00004 \(copy\)\.parquet"),
        (None, "train-0-of-0x.parquet", r"train-0-of-0x\.parquet"),
    ],
)
def test_missing_or_unexpected_shards_are_named(tmp_path, missing, extra, named):
    names = [shard_name("train", k, 4, "parquet") for k in range(4) if k != missing]
    make_empty_files(tmp_path, names + ([extra] if extra else []))
    with pytest.raises(
        InputError, match=rf"set of train shards is incomplete or mixed .*\(.*{named}"
    ):
        shard_paths(tmp_path, "train", "parquet")


@pytest.mark.parametrize("split", SPLITS)
def test_a_folder_without_shards_is_refused(tmp_path, split):
    make_empty_files(tmp_path, [shard_name(split, 0, 1, "tfrecord")])
    with pytest.raises(InputError, match=rf"has no {split} shard \(\*\.parquet\): run `dvc repro`"):
        shard_paths(tmp_path, split, "parquet")
    with pytest.raises(InputError, match=f"has no {split} shard"):
        shard_paths(tmp_path / "nowhere", split, "tfrecord")
