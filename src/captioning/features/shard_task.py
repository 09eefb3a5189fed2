"""Extract the features of one raw shard, in any process on any machine."""

from __future__ import annotations

import functools
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from captioning.cluster.object_store import Store
from captioning.core.errors import InputError
from captioning.core.opening import parse_sealed_json
from captioning.data.raw_table import read_raw_shard
from captioning.data.record_spec import ShardSummary
from captioning.data.record_writer import summary_path, write_shard
from captioning.extractors import Extractor, make_extractor
from captioning.features.write_features import feature_records, feature_spec
from captioning.runtime.scratch import library_versions

#: A shard whose worker is lost is started again, but only this often: it may be the cause.
MAX_ATTEMPTS = 10


@dataclass(frozen=True)
class ShardTask:
    """One raw shard to extract. As a dictionary, it is a row that is sent to a worker.

    Args:
        split: split that the shard belongs to.
        raw_store: URL of the store or folder that holds the raw shard.
        raw_name: file name of the raw shard there.
        raw_sha256: checksum of the raw shard; not needed for a folder.
        name: name of the shard, without suffix.
        store: URL of the store or folder to which records and summary are delivered.
        extractor, image_size, dtype: the section `features` of params.yaml.
        weights_sha256: checksum of the backbone's weights; the worker must have the same.
        libraries: library versions as JSON; the worker must have the same.
        threads: number of threads for computing; 0 lets TensorFlow choose.
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
    """Execute one `ShardTask`: extract the features, deliver them, and return the summary.

    Returns:
        The summary of the shard, and `error`: empty, or the message if the task failed.
    """
    try:
        return {**_extract(ShardTask(**row)), "error": ""}
    except InputError as error:
        message = str(error)
    except OSError as error:
        message = f"{error}, on {socket.gethostname()}"
    return {"file": "", "examples": 0, "bytes": 0, "sha256": "", "error": message}


def _extract(task: ShardTask) -> ShardSummary:
    """Extract and deliver a shard, unless it was delivered before."""
    store, file = Store(task.store), f"{task.name}.tfrecord"
    # An earlier attempt may have delivered it, whose worker was lost or whose run was killed.
    delivered = _delivered_summary(store, f"{task.name}.json")
    if delivered is not None and store.size(file) == delivered["bytes"]:
        return delivered
    _count_attempt(store, task.name)
    extractor = _worker_extractor(task)
    spec = feature_spec(extractor.output_shape, task.dtype)
    with TemporaryDirectory(prefix="captioning-") as folder:
        rows = read_raw_shard(_raw_shard(task, Path(folder)))
        records = feature_records(rows, extractor, threads=task.threads)
        path = Path(folder) / file
        summary = write_shard(path, task.split, spec, records, set(), resume=True)
        # The summary is delivered last, because it marks the shard as complete.
        for file_path in (path, summary_path(path)):
            store.put(file_path, file_path.name)
    return summary


def _delivered_summary(store: Store, name: str) -> ShardSummary | None:
    """The summary of a delivered shard; None if there is none, or it is damaged."""
    content = store.read(name)
    if content is None:
        return None
    try:
        return parse_sealed_json(content)
    except (ValueError, RecursionError):
        return None


def attempts_file(name: str) -> str:
    """Name of the file in the store that counts how often a shard was started."""
    return f"{name}.attempts"


def _count_attempt(store: Store, name: str) -> None:
    """Count a start of a shard; raise an InputError if there were too many."""
    attempts = int(store.read(attempts_file(name)) or 0)
    if attempts == MAX_ATTEMPTS:
        raise InputError(
            f"{name} lost its worker {MAX_ATTEMPTS} times, perhaps for lack of memory: increase "
            "CAPTIONING_TASK_CPUS, so that fewer tasks share a machine"
        )
    store.write(attempts_file(name), str(attempts + 1).encode())


def _raw_shard(task: ShardTask, folder: Path) -> Path:
    """Path of the raw shard: in its shared folder, or a copy in `folder` from the object store."""
    store = Store(task.raw_store)
    path = store.local(task.raw_name)
    if path is None:
        path = folder / f"{task.name}.parquet"
        store.get(task.raw_name, path, task.raw_sha256)
    elif not path.is_file():
        raise InputError(
            f"{path} is missing on {socket.gethostname()}: all machines must share the folder; "
            "otherwise set CAPTIONING_STORE to an object store"
        )
    return path


def _worker_extractor(task: ShardTask) -> Extractor:
    """The backbone, after checking its weights and the libraries against the task's."""
    libraries = library_versions()
    wanted = json.loads(task.libraries)
    differences = [
        f"{name} {libraries[name]} instead of {wanted[name]}"
        for name in wanted
        if libraries[name] != wanted[name]
    ]
    if differences:
        raise InputError(
            f"{socket.gethostname()} has {', '.join(differences)}: "
            "install the packages of locks/developers.txt on all machines"
        )
    extractor = _load_extractor(task.extractor, task.image_size, task.threads)
    if extractor.weights_sha256 != task.weights_sha256:
        raise InputError(
            f"{socket.gethostname()} has other weights for {task.extractor}: "
            "install the same packages on all machines"
        )
    return extractor


@functools.cache
def _load_extractor(name: str, image_size: int, threads: int) -> Extractor:
    """Load a backbone, once per process: a worker executes many tasks."""
    if threads:
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        # As many threads as the worker requested cores; their number does not change the result.
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    return make_extractor(name, image_size)
