"""COCO Captions as TensorFlow Datasets (tfds) prepares it: `coco_captions/2014`.

T.-Y. Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014; X. Chen et al.: Microsoft
COCO Captions: Data Collection and Evaluation Server, arXiv 1504.00325. The splits are Karpathy's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.download.datasets.base import SPLITS, Example, Rejections
from captioning.params.datasets import CocoCaptionsParams

_TFDS_SPLITS = {"train": ("train", "restval"), "validation": ("val",), "test": ("test",)}


class CocoTfds:
    """What tfds has prepared on this machine, in the order of its files; `restval` after `train`.

    An `image_id` is the file's name without `.jpg`; images are the bytes that tfds stored, which
    are those of COCO's archives.
    """

    extras: Sequence[pa.Field] = ()

    def __init__(self, params: CocoCaptionsParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples; nothing is downloaded.

        Raises:
            InputError: tfds is not installed, the dataset is not prepared, lacks a split, or can't
                be read.
        """
        builder = _prepared(self._params.tfds_version)
        for split in SPLITS:
            most = getattr(self._params, f"{split}_images")
            for row in _rows(builder, self._sources(split), most):
                yield Example(
                    image_id=PurePosixPath(row["image/filename"].decode()).stem,
                    split=split,
                    image=row["image"],
                    captions=tuple(text.decode() for text in row["captions"]["text"]),
                )

    def _sources(self, split: str) -> str:
        """The tfds split, or sum of splits, that a split of this project is read from."""
        names = _TFDS_SPLITS[split]
        return "+".join(n for n in names if n != "restval" or self._params.restval == "train")


def _prepared(version: str) -> Any:
    """The builder of the dataset in tfds' folder (`TFDS_DATA_DIR`)."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(
            f"source tfds needs TensorFlow Datasets ({error}): run `pip install -e '.[tfds]'`"
        ) from None
    folder = tfds.core.Path(tfds.core.constants.DATA_DIR).expanduser()
    folder = folder / "coco_captions" / "2014" / version
    if not all((folder / name).exists() for name in ("dataset_info.json", "features.json")):
        name = f"coco_captions/2014:{version}"
        raise InputError(
            f"{folder} holds no dataset: set TFDS_DATA_DIR to the folder that holds coco_captions, "
            f"or prepare it in Python by tfds.builder({name!r}).download_and_prepare(), which "
            "downloads 40 GB and unpacks as much"
        )
    return tfds.builder_from_directory(folder)


def _rows(builder: Any, source: str, most: int | None) -> Iterator[dict[str, Any]]:
    """Read at most so many rows of a tfds split in the order of its files: no image decoded."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    missing = [name for name in source.split("+") if name not in builder.info.splits]
    if missing:
        found = ", ".join(sorted(builder.info.splits)) or "none"
        raise InputError(
            f"{builder.data_path} has no split {missing[0]}, but {found}: prepare it anew"
        )
    features = {"image": True, "image/filename": True, "captions": {"text": True}}
    try:
        rows = builder.as_dataset(
            split=source,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding(
                features, decoders={"image": tfds.decode.SkipDecoding()}
            ),
            # One file after the other; by default sixteen are read in turns.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
        yield from rows.take(-1 if most is None else most).as_numpy_iterator()
    except (tf.errors.OpError, ValueError) as error:
        raise InputError(f"{builder.data_path} can't be read ({error}): prepare it anew") from error
