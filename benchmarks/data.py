"""The data that the parts work on: the outputs of `make repro`, and a small share of them.

Legend: `C` feature channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alternate import Work
from captioning.core.errors import InputError
from captioning.params.stages import Params, load_params

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class BenchData:
    """Folders and sizes. It is passed to other processes, so it holds plain values only.

    Args:
        root: folder that holds params.yaml and data/.
        work: folder for the benchmark's own files.
        train_images: number of train images in the training part.
        validation_images: number of validation images on which its losses are measured.
    """

    root: Path
    work: Path
    train_images: int
    validation_images: int

    @property
    def params(self) -> Params:
        """The project's settings."""
        return load_params(self.root / "params.yaml")

    @property
    def raw(self) -> Path:
        """The raw table."""
        return self.root / "data/raw"

    @property
    def bias(self) -> NDArray[np.float32]:
        """The output bias, float32 `[V]`."""
        bias: NDArray[np.float32] = np.load(self.root / "data/vocabulary/output_bias.npy")
        return bias

    def check(self) -> None:
        """Check that the pipeline has run.

        Raises:
            InputError: its outputs are missing.
        """
        for name in ("raw", "features/index.json", "tokens/index.json", "vocabulary"):
            if not (self.root / "data" / name).exists():
                raise InputError(
                    f"{self.root / 'data' / name} is missing: run `make repro` first, "
                    "the benchmark uses its outputs"
                )

    def features(self, share: bool = False) -> Any:
        """The feature records, a `RecordFolder`; with `share`, those of the first images only."""
        return self._folder("features", share)

    def tokens(self, share: bool = False) -> Any:
        """The token records, a `RecordFolder`; with `share`, those of the first images only."""
        return self._folder("tokens", share)

    def _folder(self, name: str, share: bool) -> Any:
        from captioning.data.record_folder import RecordFolder

        base = self.work if share else self.root / "data"
        return RecordFolder.open(base / name, verify=False)

    def write_share(self) -> None:
        """Copy the records of the first train and validation images into folders of their own."""
        from captioning.data.record_writer import write_index, write_shards
        from captioning.training.examples import joined

        features, tokens = self.features(), self.tokens()
        counts = {"train": self.train_images, "validation": self.validation_images}
        examples = {}
        for split in SPLITS:
            dataset = joined(features, tokens, split).take(counts[split])
            examples[split] = [
                {
                    "image_id": example["image_id"].numpy().decode(),
                    "features": example["features"].numpy(),
                    "tokens": example["tokens"].to_list(),
                }
                for example in dataset
            ]
        for name, whole in (("features", features), ("tokens", tokens)):
            (self.work / name).mkdir(parents=True, exist_ok=True)
            shards = {
                split: write_shards(self.work / name, split, whole.spec, [examples[split]])
                for split in SPLITS
            }
            write_index(self.work / name, whole.spec, {**shards, "test": []}, whole.extra)


class ShareWriter(Work):
    """Writes the share in its own process; see `alternate.Work`."""

    def __init__(self, data: BenchData) -> None:
        self.data = data

    def run(self) -> float:
        """Write the share; its number is 1."""
        self.data.write_share()
        return 1

    def facts(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def examples(data: BenchData, split: str, count: int) -> list[tuple[NDArray[Any], list[list[int]]]]:
    """The first images of a split: features `[height, width, C]` as stored, ids of all captions."""
    from captioning.training.examples import joined

    records = joined(data.features(), data.tokens(), split)
    return [
        (example["features"].numpy(), example["tokens"].to_list())
        for example in islice(records, count)
    ]
