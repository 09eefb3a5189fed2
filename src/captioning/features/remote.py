"""Extract features on a Ray cluster, through an object store, or both.

Each raw shard is one task, which any process on any machine can execute: it fetches the raw shard,
extracts its features as a run on one machine would, and delivers the records with their summary.
The stage collects the deliveries in its scratch folder, where an interrupted run on one machine
would have left them, and `write_features` continues from there. Therefore the outputs have the
same bytes, and shards that a killed run finished are not extracted again.

Without an object store (`CAPTIONING_STORE`), all machines must share the folders.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from captioning.cluster.object_store import Store
from captioning.cluster.ray import Resources, Row, cluster_address, map_on_cluster
from captioning.core.errors import InputError
from captioning.core.files import sha256
from captioning.core.opening import write_sealed_json
from captioning.core.splits import SPLITS
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_spec import ShardSummary
from captioning.data.record_writer import finished_shard, summary_path
from captioning.extractors import Extractor
from captioning.features.shard_task import ShardTask, attempts_file, extract_shard
from captioning.runtime.scratch import library_versions

# A network file system may show files of other machines only after some time.
_VISIBILITY_TIMEOUT_SECONDS = 90


def remote_store() -> Store | None:
    """The object store at the URL in `CAPTIONING_STORE`; None if the variable is not set.

    Raises:
        InputError: the URL is of an unknown kind.
    """
    url = os.environ.get("CAPTIONING_STORE")
    return Store(url) if url else None


def extract_remotely(raw: Path | str, scratch: Path, extractor: Extractor, dtype: str) -> None:
    """Extract every raw shard remotely; put the finished shards and summaries into `scratch`.

    Does nothing if the environment names neither a cluster nor an object store.

    Args:
        raw: folder of the raw table.
        scratch: see `write_features`; its name, a fingerprint, also names the folder in the store.
        extractor: frozen backbone.
        dtype: dtype of the stored features, `float16` or `float32`.

    Raises:
        InputError: the cluster or the store is not usable, an image cannot be decoded, or a worker
            has other weights or library versions.
    """
    remote = remote_store()
    if cluster_address() is None and remote is None:
        return
    resources = Resources.from_environment()
    results = _folder_store(scratch) if remote is None else remote / "features" / scratch.name
    settings = {
        "store": results.url,
        "extractor": extractor.name,
        "image_size": extractor.image_size,
        "dtype": dtype,
        "weights_sha256": extractor.weights_sha256,
        "libraries": json.dumps(library_versions(), sort_keys=True),
        "threads": resources.cpus if cluster_address() else 0,
    }
    missing = _missing_shards(raw, scratch)
    if missing:
        images = sum(1 for _, path in missing for _ in read_raw_shard(path, ["image_id"]))
        with (
            tqdm(desc="features", total=images, unit=" images", disable=None) as progress,
            closing(_run_tasks(_task_rows(missing, remote, settings), resources)) as summaries,
        ):
            for summary in summaries:
                _collect(summary, results, scratch, copy=remote is not None)
                progress.update(summary["examples"])
    if remote is not None:
        # All features are here now. The raw shards stay in the store for the next extractor.
        remote.remove(f"features/{scratch.name}")


def _folder_store(path: Path) -> Store:
    """A store for a folder that all machines share."""
    return Store(f"file://{path.resolve()}")


def _missing_shards(raw: Path | str, scratch: Path) -> list[tuple[str, Path]]:
    """Split and path of each raw shard whose features are not in `scratch` yet."""
    missing = []
    for split in SPLITS:
        for path in raw_shards(raw, split):
            shard = scratch / f"{path.stem}.tfrecord"
            if finished_shard(shard) is None:
                summary_path(shard).unlink(missing_ok=True)
                missing.append((split, path))
    return missing


def _task_rows(
    missing: list[tuple[str, Path]], remote: Store | None, settings: dict[str, Any]
) -> Iterator[Row]:
    """A `ShardTask` as a row for each raw shard, after uploading the shard to the store.

    In the store, a raw shard is named by its checksum, so that it is uploaded only once.
    """
    for split, path in missing:
        source, name, checksum = _folder_store(path.parent), path.name, ""
        if remote is not None:
            checksum = sha256(path)
            source, name = remote / "raw", f"{checksum}.parquet"
            if source.size(name) != path.stat().st_size:
                source.put(path, name)
        Store(settings["store"]).remove(attempts_file(path.stem))
        yield asdict(
            ShardTask(
                split=split,
                name=path.stem,
                raw_store=source.url,
                raw_name=name,
                raw_sha256=checksum,
                **settings,
            )
        )


def _run_tasks(rows: Iterator[Row], resources: Resources) -> Generator[ShardSummary, None, None]:
    """Execute the tasks, here or on the cluster; yield summaries in the order of completion."""
    if cluster_address() is None:
        results = (extract_shard(row) for row in rows)
    else:
        results = map_on_cluster(extract_shard, rows, resources)
    with closing(results):
        for result in results:
            error = result.pop("error")
            if error:
                raise InputError(error)
            yield result


def _collect(summary: ShardSummary, results: Store, scratch: Path, copy: bool) -> None:
    """Make sure that a delivered shard and its summary are in `scratch`."""
    path = scratch / summary["file"]
    if copy:
        results.get(path.name, path, summary["sha256"])
        write_sealed_json(summary_path(path), summary)
        return
    deadline = time.monotonic() + _VISIBILITY_TIMEOUT_SECONDS
    while finished_shard(path) is None:
        if time.monotonic() > deadline:
            raise InputError(
                f"{path} was written by a worker but is not visible on this machine: all machines "
                "must share the folder; otherwise set CAPTIONING_STORE to an object store"
            )
        time.sleep(1)
