"""One raw shard to its feature shard, in any process of any machine."""

from __future__ import annotations

import functools
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from captioning.core.errors import InputError
from captioning.data.raw_table import read_raw_shard
from captioning.data.record_spec import ShardSummary
from captioning.data.record_writer import summary_path, write_shard
from captioning.extractors import Extractor, make_extractor
from captioning.features.write_features import feature_records, feature_spec
from captioning.runtime.object_store import Store
from captioning.runtime.scratch import library_versions

# Machines may be taken away, so a shard is begun again; one that kills every worker must end.
ATTEMPTS = 10


@dataclass(frozen=True)
class ShardTask:
    """One raw shard to extract, as a row for a worker.

    Args:
        split: that the shard belongs to.
        raw_store, raw_name, raw_sha256: where the raw shard lies.
        name: of the shard, without suffix.
        store: where the records and their summary go.
        extractor, image_size, dtype: the params.
        weights_sha256: of the weights that the worker must have, too.
        libraries: their versions, likewise, as JSON.
        threads: that share the arithmetic; 0 leaves that to TensorFlow.
    """

    split: str
    raw_store: str
    raw_name: str
    raw_sha256: str
    name: str
    store: str
    extractor: str
    image_size: int
    dtype: str
    weights_sha256: str
    libraries: str
    threads: int


def extract_shard(row: dict[str, Any]) -> dict[str, Any]:
    """Do one `ShardTask`, in whatever process: extract, deliver, return the summary.

    Returns:
        The shard's summary and `error`: empty, or why there is none.
    """
    try:
        return {**_extract(ShardTask(**row)), "error": ""}
    except InputError as error:
        message = str(error)
    except OSError as error:
        message = f"{error}, on {socket.gethostname()}"
    return {"file": "", "examples": 0, "bytes": 0, "sha256": "", "error": message}


def _extract(task: ShardTask) -> ShardSummary:
    store, file = Store(task.store), f"{task.name}.tfrecord"
    delivered = store.read(f"{task.name}.json")
    if delivered is not None:  # By a worker that was lost afterwards, or for a run that was killed.
        summary: ShardSummary = json.loads(delivered)
        if store.size(file) == summary["bytes"]:
            return summary
    _count_attempt(store, task.name)
    extractor = _worker_extractor(task)
    spec = feature_spec(extractor.output_shape, task.dtype)
    with TemporaryDirectory(prefix="captioning-") as folder:
        rows = read_raw_shard(_raw_shard(task, Path(folder)))
        records = feature_records(rows, extractor, threads=task.threads)
        path = Path(folder) / file
        summary = write_shard(path, task.split, spec, records, set(), resume=True)
        # The summary last: it says that the shard is whole.
        for written in (path, summary_path(path)):
            store.put(written, written.name)
    return summary


def attempts_file(name: str) -> str:
    """Where the store keeps how often a shard was begun."""
    return f"{name}.attempts"


def _count_attempt(store: Store, name: str) -> None:
    attempts = int(store.read(attempts_file(name)) or 0)
    if attempts == ATTEMPTS:
        raise InputError(
            f"{name} lost its worker {ATTEMPTS} times: have the machines too little memory? A "
            "larger CAPTIONING_TASK_CPUS lets fewer tasks share a machine"
        )
    store.write(attempts_file(name), str(attempts + 1).encode())


def _raw_shard(task: ShardTask, folder: Path) -> Path:
    """A raw shard where it lies, or its copy in `folder`."""
    store = Store(task.raw_store)
    path = store.local(task.raw_name)
    if path is None:
        path = folder / f"{task.name}.parquet"
        store.get(task.raw_name, path, task.raw_sha256)
    elif not path.is_file():
        raise InputError(
            f"{path} is missing on {socket.gethostname()}: all machines must share the folder; "
            "where they don't, set CAPTIONING_STORE to an object store"
        )
    return path


def _worker_extractor(task: ShardTask) -> Extractor:
    """The backbone, made sure to be the one that the asking process has."""
    libraries = library_versions()
    wanted = json.loads(task.libraries)
    other = [
        f"{name} {libraries[name]} instead of {wanted[name]}"
        for name in wanted
        if libraries[name] != wanted[name]
    ]
    if other:
        raise InputError(
            f"{socket.gethostname()} has {', '.join(other)}: "
            "install the packages of requirements.lock on all machines"
        )
    extractor = _loaded(task.extractor, task.image_size, task.threads)
    if extractor.weights_sha256 != task.weights_sha256:
        raise InputError(
            f"{socket.gethostname()} has other weights of {task.extractor}: "
            "install the same packages on all machines"
        )
    return extractor


@functools.cache
def _loaded(name: str, image_size: int, threads: int) -> Extractor:
    """A backbone, loaded once a process: a worker does many tasks."""
    if threads:
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        # A worker has as many cores as it asked for; how many there are changes no byte.
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    return make_extractor(name, image_size)
