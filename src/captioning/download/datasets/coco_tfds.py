"""COCO Captions as prepared by TensorFlow Datasets (tfds): `coco_captions/2014`.

T.-Y. Lin et al.: Microsoft COCO: Common Objects in Context, ECCV 2014; X. Chen et al.: Microsoft
COCO Captions: Data Collection and Evaluation Server, arXiv 1504.00325. The splits are Karpathy's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from captioning.core.errors import InputError
from captioning.download.datasets.base import FILE_COLUMN, SPLITS, Example, Rejections
from captioning.params.datasets import CocoCaptionsParams

_TFDS_SPLITS = {"train": ("train", "restval"), "validation": ("val",), "test": ("test",)}


class CocoTfds:
    """The dataset that tfds has prepared on this machine, in the order of its files.

    `restval` comes after `train`. The `image_id` is the file name without `.jpg`. The images are
    the bytes that tfds stored, which are the same as in COCO's archives.
    """

    extras: Sequence[pa.Field] = (FILE_COLUMN,)

    def __init__(self, params: CocoCaptionsParams) -> None:
        self._params = params

    def examples(self, rejections: Rejections) -> Iterator[Example]:
        """Yield the examples; nothing is downloaded.

        Raises:
            InputError: tfds is not installed, or the dataset is not prepared, lacks a split or
                cannot be read.
        """
        builder = _prepared(self._params.tfds_version)
        for split in SPLITS:
            max_rows = getattr(self._params, f"{split}_images")
            for row in _rows(builder, self._tfds_splits(split), max_rows):
                name = row["image/filename"].decode()
                yield Example(
                    image_id=PurePosixPath(name).stem,
                    split=split,
                    image=row["image"],
                    captions=tuple(text.decode() for text in row["captions"]["text"]),
                    extras={"file": name},
                )

    def _tfds_splits(self, split: str) -> str:
        """The tfds splits, joined by `+`, that make up a split of this project."""
        names = _TFDS_SPLITS[split]
        return "+".join(n for n in names if n != "restval" or self._params.restval == "train")


def _prepared(version: str) -> Any:
    """The tfds builder of the prepared dataset in `TFDS_DATA_DIR`."""
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
            f"{folder} contains no prepared dataset: set TFDS_DATA_DIR to the folder that contains "
            f"coco_captions, or run tfds.builder({name!r}).download_and_prepare() in Python, which "
            "downloads 40 GB and unpacks the same amount"
        )
    return tfds.builder_from_directory(folder)


def _rows(builder: Any, source: str, max_rows: int | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of tfds splits in the order of their files, without decoding the images.

    Args:
        builder: tfds builder of the prepared dataset.
        source: names of tfds splits, joined by `+`.
        max_rows: largest number of rows; None yields all.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    missing = [name for name in source.split("+") if name not in builder.info.splits]
    if missing:
        found = ", ".join(sorted(builder.info.splits)) or "none"
        raise InputError(
            f"{builder.data_path} has no split {missing[0]} (it has: {found}): prepare it again"
        )
    features = {"image": True, "image/filename": True, "captions": {"text": True}}
    try:
        rows = builder.as_dataset(
            split=source,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding(
                features, decoders={"image": tfds.decode.SkipDecoding()}
            ),
            # Read one file after the other; by default, sixteen are interleaved.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
        yield from rows.take(-1 if max_rows is None else max_rows).as_numpy_iterator()
    except (tf.errors.OpError, ValueError) as error:
        raise InputError(
            f"{builder.data_path} cannot be read ({error}): prepare it again"
        ) from error
