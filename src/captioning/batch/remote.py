"""Caption parts on a Ray cluster: each part is a task, for any process on any machine.

All machines must reach the model and the pictures under the same names: in a shared folder, at
URLs or in an object store.
"""

from __future__ import annotations

import base64
import functools
import json
import socket
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from captioning.batch.formats import Rows
from captioning.batch.model_files import checksums
from captioning.batch.parts import files_checksum
from captioning.batch.pictures import Picture
from captioning.cluster.ray import Resources, map_on_cluster
from captioning.core.errors import InputError
from captioning.runtime.scratch import library_versions


@dataclass(frozen=True)
class PartTask:
    """One part to caption. As a dictionary, it is a row that is sent to a worker.

    Attributes:
        pictures: the pictures, see `packed`; empty in a task that serves as a pattern.
        folder: absolute path of the folder in which relative paths are looked up.
        model: absolute path of the model's folder.
        model_sha256: `checksums` of the model as JSON; the worker must find the same.
        settings: arguments of `DecodingSettings` as JSON.
        number: captions for each picture.
        private_addresses: see `reading.read`.
        libraries: library versions as JSON; the worker must have the same.
        threads: number of threads for computing.
    """

    pictures: str
    folder: str
    model: str
    model_sha256: str
    settings: str
    number: int
    private_addresses: bool
    libraries: str
    threads: int

    @classmethod
    def pattern(
        cls, model: str, settings: dict[str, Any], number: int, private_addresses: bool
    ) -> PartTask:
        """A task without pictures, for the cluster that the environment describes.

        Raises:
            InputError: the model is missing, or the environment asks for impossible resources.
        """
        return cls(
            pictures="",
            folder=str(Path.cwd()),
            model=str(Path(model).resolve()),
            model_sha256=json.dumps(checksums(model), sort_keys=True),
            settings=json.dumps(settings, sort_keys=True),
            number=number,
            private_addresses=private_addresses,
            libraries=json.dumps(library_versions(), sort_keys=True),
            threads=Resources.from_environment().cpus,
        )


class PartsOnCluster:
    """Captions parts on the cluster that the environment names; see `CaptionParts`.

    The compressed lists of pictures are in memory, about 15 bytes for each picture.

    Args:
        pattern: what all tasks have in common.
    """

    def __init__(self, pattern: PartTask) -> None:
        self._pattern = pattern

    def __call__(
        self, parts: Iterable[list[Picture]], seen: Callable[[Rows], None]
    ) -> Generator[tuple[Rows, str], None, None]:
        """See `CaptionParts`."""
        sums: dict[int, str] = {}

        def tasks() -> Iterator[dict[str, Any]]:
            for part in parts:
                sums[part[0].index] = files_checksum(part)
                yield {**asdict(self._pattern), "pictures": packed([astuple(one) for one in part])}

        with closing(
            map_on_cluster(caption_part, tasks(), Resources.from_environment())
        ) as results:
            for result in results:
                if result["error"]:
                    raise InputError(result["error"])
                rows = unpacked(result["rows"])
                seen(rows)
                yield rows, sums[rows[0]["index"]]


def caption_part(row: dict[str, Any]) -> dict[str, Any]:
    """Execute one `PartTask`.

    Returns:
        `rows`, packed; and `error`: empty, or the message if the task failed.
    """
    task = PartTask(**row)
    try:
        _check_libraries(task)
        captioner = _captioner(
            task.folder,
            task.model,
            task.model_sha256,
            task.settings,
            task.number,
            task.private_addresses,
            task.threads,
        )
        pictures = [Picture(*one) for one in unpacked(task.pictures)]
        rows = [one.columns(task.number) for one in captioner.rows(pictures)]
        return {"rows": packed(rows), "error": ""}
    except InputError as error:
        return {"rows": "", "error": str(error)}
    except OSError as error:
        return {"rows": "", "error": f"{error}, on {socket.gethostname()}"}


def _check_libraries(task: PartTask) -> None:
    found, wanted = library_versions(), json.loads(task.libraries)
    differences = [
        f"{k} {found[k]} instead of {wanted[k]}" for k in wanted if found[k] != wanted[k]
    ]
    if differences:
        raise InputError(
            f"{socket.gethostname()} has {', '.join(differences)}: "
            "install the packages of locks/developers.txt on all machines"
        )


@functools.lru_cache(maxsize=1)
def _captioner(
    folder: str,
    model: str,
    model_sha256: str,
    settings: str,
    number: int,
    private_addresses: bool,
    threads: int,
) -> Any:
    """Load a model, once per process: a worker executes many tasks."""
    if not Path(model).is_dir() or checksums(model) != json.loads(model_sha256):
        raise InputError(
            f"{model} is missing on {socket.gethostname()}, or is another model there: all "
            "machines must share the folder"
        )
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    # As many threads as the worker requested cores; their number does not change the result.
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)

    from captioning.batch.running import PictureCaptioner, Reading
    from captioning.captioner import Captioner
    from captioning.decoding.settings import DecodingSettings

    captioner = Captioner.load(model)
    reading = Reading(private_addresses, any_url=True, threads=threads, folder=folder)
    return PictureCaptioner(captioner, DecodingSettings(**json.loads(settings)), number, reading)


def packed(value: Any) -> str:
    """A JSON value as compressed text, for a row that is sent to another machine."""
    return base64.b85encode(zlib.compress(json.dumps(value).encode())).decode()


def unpacked(text: str) -> Any:
    """The value that was `packed`."""
    return json.loads(zlib.decompress(base64.b85decode(text)))
