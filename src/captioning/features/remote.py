"""Extracting features elsewhere: on a Ray cluster, by way of an object store, or both.

Every raw shard is one task, which any process of any machine can do: it fetches the shard, extracts
it as a run on one machine does, and delivers records and summary. The process that asked collects
them where an interrupted run on one machine would have left them, and `write_features` goes on from
there. So the bytes are the same, and what a killed run has finished is not extracted again.

Without a store (`CAPTIONING_STORE`), the folders must be shared by all machines.
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

from captioning.core.errors import InputError
from captioning.core.files import sha256, write_json
from captioning.core.splits import SPLITS
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_spec import ShardSummary
from captioning.data.record_writer import finished_shard, summary_path
from captioning.extractors import Extractor
from captioning.features.shard_task import ShardTask, attempts_file, extract_shard
from captioning.runtime.cluster import Resources, Row, cluster_address, map_on_cluster
from captioning.runtime.object_store import Store
from captioning.runtime.scratch import library_versions

# Seconds until a network file system shows what another machine wrote.
_LATE = 90


def remote_store() -> Store | None:
    """The store that `CAPTIONING_STORE` names; None means folders.

    Raises:
        InputError: there is no such kind of store.
    """
    url = os.environ.get("CAPTIONING_STORE")
    return Store(url) if url else None


def extract_remotely(raw: Path | str, scratch: Path, extractor: Extractor, dtype: str) -> None:
    """Have every raw shard extracted; leave whole shards and their summaries in `scratch`.

    Does nothing where the environment names neither a cluster nor a store.

    Args:
        raw: folder of the raw table.
        scratch: as for `write_features`; its name tells this work from any other.
        extractor, dtype: likewise.

    Raises:
        InputError: the cluster or the store can't be used, an image can't be decoded, or a
            worker has other weights or libraries.
    """
    remote = remote_store()
    if cluster_address() is None and remote is None:
        return
    resources = Resources.from_environment()
    results = _folder(scratch) if remote is None else remote / "features" / scratch.name
    settings = {
        "store": results.url,
        "extractor": extractor.name,
        "image_size": extractor.image_size,
        "dtype": dtype,
        "weights_sha256": extractor.weights_sha256,
        "libraries": json.dumps(library_versions(), sort_keys=True),
        "threads": resources.cpus if cluster_address() else 0,
    }
    missing = _missing(raw, scratch)
    if missing:
        images = sum(1 for _, path in missing for _ in read_raw_shard(path, ["image_id"]))
        with (
            tqdm(desc="features", total=images, unit=" images", disable=None) as progress,
            closing(_summaries(_rows(missing, remote, settings), resources)) as summaries,
        ):
            for summary in summaries:
                _collect(summary, results, scratch, copy=remote is not None)
                progress.update(summary["examples"])
    if remote is not None:
        # They are here now; the raw shards stay there for the next extractor.
        remote.remove(f"features/{scratch.name}")


def _folder(path: Path) -> Store:
    """A folder that all machines share, as a store."""
    return Store(f"file://{path.resolve()}")


def _missing(raw: Path | str, scratch: Path) -> list[tuple[str, Path]]:
    """Split and path of the raw shards whose features aren't in `scratch`."""
    missing = []
    for split in SPLITS:
        for path in raw_shards(raw, split):
            shard = scratch / f"{path.stem}.tfrecord"
            if finished_shard(shard) is None:
                summary_path(shard).unlink(missing_ok=True)
                missing.append((split, path))
    return missing


def _rows(
    missing: list[tuple[str, Path]], remote: Store | None, settings: dict[str, Any]
) -> Iterator[Row]:
    """A task for each raw shard; in a store it lies under its checksum, so that it goes up once."""
    for split, path in missing:
        source, name, checksum = _folder(path.parent), path.name, ""
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


def _summaries(rows: Iterator[Row], resources: Resources) -> Generator[ShardSummary, None, None]:
    """Do the tasks, here or on the cluster; yield the summaries as they come."""
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
    """See to it that a delivered shard and its summary lie in `scratch`."""
    path = scratch / summary["file"]
    if copy:
        results.get(path.name, path, summary["sha256"])
        write_json(summary_path(path), summary)
        return
    patience = time.monotonic() + _LATE
    while finished_shard(path) is None:
        if time.monotonic() > patience:
            raise InputError(
                f"{path} was written by a worker and is not to be seen here: all machines must "
                "share the folder; where they don't, set CAPTIONING_STORE to an object store"
            )
        time.sleep(1)
