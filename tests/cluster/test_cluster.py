"""Features from a Ray cluster of two nodes have the same bytes, even if workers are lost."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hostile_server import hostile_server
from own_pictures import read
from raw_table import write_raw_table, write_scenes
from ray_cluster import Cluster, kill_worker, two_nodes
from s3_server import BUCKET, client, objects, s3_server
from small_repository import make_repository, run
from tar_shards import sample, tar, write_shards
from url_index import examples, release, shades

from captioning.cluster.ray import Resources, map_on_cluster
from captioning.core.errors import InputError
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_writer import write_shard
from captioning.download.datasets import folder as folder_dataset
from captioning.extractors import Extractor, make_extractor
from captioning.features.remote import extract_remotely
from captioning.features.shard_task import extract_shard
from captioning.features.write_features import feature_records, feature_spec, write_features

SIZE = 64
SHARDS = 3


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture(scope="module")
def cluster(s3) -> Iterator[Cluster]:
    """Its nodes know the S3 server from their environment."""
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return make_extractor("efficientnet_lite0", SIZE)


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """144 images in nine shards."""
    images = {f"{split}_images": 48 for split in ("train", "validation", "test")}
    return write_scenes(tmp_path_factory.mktemp("raw"), SHARDS, SIZE, **images)


@pytest.fixture(scope="module")
def local_features(raw, extractor, tmp_path_factory) -> Path:
    """Features written by this machine alone."""
    folder = tmp_path_factory.mktemp("features")
    write_features(raw, folder, extractor, "float16")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def disturb(scratch: Path, moments: dict[int, Callable[[], object]]) -> threading.Thread:
    """Call each action when so many shards exist, in the background, and again while it fails."""

    def watch() -> None:
        for number, action in moments.items():
            while len(list(scratch.glob("*.tfrecord"))) < number or action() is False:
                time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
@pytest.mark.long
def test_losing_a_worker_and_a_node_gives_the_same_bytes(
    cluster, raw, extractor, local_features, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    scratch, folder = tmp_path / "scratch", tmp_path / "features"
    folder.mkdir()
    # A shard from a run without a cluster that was killed.
    kept = scratch / f"train-00000-of-{SHARDS:05d}.tfrecord"
    rows = feature_records(read_raw_shard(raw_shards(raw, "train")[0]), extractor)
    spec = feature_spec(extractor.output_shape, "float16")
    write_shard(kept, "train", spec, rows, set(), resume=True)
    before = kept.stat()
    losses = {2: lambda: kill_worker(psutil.Process()), 4: cluster.lose_node}
    thread = disturb(scratch, losses)
    extract_remotely(raw, scratch, extractor, "float16")
    thread.join(timeout=30)
    assert not thread.is_alive(), "no worker or node was lost"
    cluster.add_node()
    assert len(list(scratch.glob("*.tfrecord"))) == 3 * SHARDS
    after = kept.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_features(raw, folder, extractor, "float16", scratch)
    assert contents(folder) == contents(local_features)


@pytest.mark.slow
@pytest.mark.long
def test_the_stage_with_an_object_store_writes_the_same_bytes(
    cluster, raw, local_features, s3, tmp_path
):
    repository = make_repository(tmp_path / "repository", **{"features.image_size": SIZE})
    shutil.copytree(raw, repository / "data/raw")
    environment = {**cluster.environment, **s3, "CAPTIONING_STORE": f"s3://{BUCKET}/ray"}
    output = run(repository, sys.executable, "stages/features.py", **environment)
    assert contents(repository / "data/features") == contents(local_features)
    assert len(objects("ray/raw/")) == len(objects("ray/")) == 3 * SHARDS
    # Ray's own messages are hidden.
    assert not re.search("Traceback|RayDeprecation|Dataset|[Pp]rogress bars", output)


@pytest.mark.slow
@pytest.mark.long
def test_images_from_urls_are_fetched_by_the_cluster(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_PRIVATE_NETWORKS", "127.0.0.0/8")
    with hostile_server() as server:
        dead = [f"{server.url}/404", f"{server.url}/red.jpg"]
        params = release(tmp_path / "source", [*shades(server, 5), *dead], shades(server, 3, 50))
        monkeypatch.setenv("CAPTIONING_CACHE", str(tmp_path / "here"))
        here = examples(params)
        monkeypatch.setenv("CAPTIONING_CACHE", str(tmp_path / "there"))
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        assert examples(params) == here
    assert len(here) == 9


@pytest.mark.slow
@pytest.mark.long
def test_shards_in_an_object_store_are_compared_by_the_cluster(cluster, s3, tmp_path, monkeypatch):
    broken = tar([("9.jpg", b"no image"), ("9.txt", b"c"), *sample(10), *sample(3, "copy")])
    folder = write_shards(tmp_path / "shards", samples=8, each=4)
    (folder / "00002.tar").write_bytes(broken)
    for path in folder.iterdir():
        client().upload_file(str(path), BUCKET, f"web/{path.name}")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/shards.txt").write_text(f"s3://{BUCKET}/web/{{00000..00002}}.tar\n")
    alone = read(tmp_path / "mine")
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setattr(folder_dataset, "digests_of_all", None)
    assert read(tmp_path / "mine") == alone
    assert len(alone[0]) == 9
    assert set(alone[1]) == {"not an image", "same picture as another"}


@pytest.mark.slow
@pytest.mark.long
def test_an_image_that_cannot_be_decoded_is_named_in_one_line(
    cluster, extractor, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    raw = tmp_path / "raw"
    write_raw_table(raw, {"train": [["a"]], "validation": [["a"]], "test": [["a"]]}, shards=1)
    with pytest.raises(InputError) as raised:
        extract_remotely(raw, tmp_path / "scratch", extractor, "float16")
    assert re.fullmatch(
        r"(train|validation|test)0: not an image: its beginning .* known image format",
        str(raised.value),
    )


@pytest.mark.slow
@pytest.mark.long
def test_resources_that_no_node_has_are_named(cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    message = r"no node of the cluster has 1 CPUs and 1 GPUs .* 1 CPUs and 0 GPUs"
    with pytest.raises(InputError, match=message):
        next(map_on_cluster(extract_shard, iter([]), Resources(1, 1)))


def test_a_cluster_that_cannot_be_reached_is_named(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    with pytest.raises(
        InputError, match="cannot connect to the Ray cluster RAY_ADDRESS=http://127.0.0.1:1"
    ):
        next(map_on_cluster(extract_shard, iter([]), Resources(1, 0)))


def test_a_missing_ray_package_is_named(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install -e '.\[cluster\]'"):
        next(map_on_cluster(extract_shard, iter([]), Resources(1, 0)))


def test_the_resources_of_a_task_are_read_from_the_environment(monkeypatch):
    assert Resources.from_environment() == Resources(1, 0.0)
    monkeypatch.setenv("CAPTIONING_TASK_CPUS", "4")
    monkeypatch.setenv("CAPTIONING_TASK_GPUS", "0.5")
    assert Resources.from_environment() == Resources(4, 0.5)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CAPTIONING_TASK_CPUS", "0"),
        ("CAPTIONING_TASK_CPUS", "many"),
        ("CAPTIONING_TASK_GPUS", "1.5"),
        ("CAPTIONING_TASK_GPUS", "-1"),
        ("CAPTIONING_TASK_GPUS", "nan"),
    ],
)
def test_an_impossible_number_of_resources_is_named(variable, value, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=f"{variable} is '?{value}'?: it must be"):
        Resources.from_environment()
