"""The data that the parts work on: what `make repro` wrote, and a small share of it.

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
    """Where everything lies. Plain paths: it goes to other processes.

    Args:
        root: folder of params.yaml and data/.
        work: folder for what the benchmark writes.
        train_images: how many train images the training part has.
        validation_images: how many images its losses are measured on.
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
        """See that the pipeline has run.

        Raises:
            InputError: its outputs are missing.
        """
        for name in ("raw", "features/index.json", "tokens/index.json", "vocabulary"):
            if not (self.root / "data" / name).exists():
                raise InputError(
                    f"{self.root / 'data' / name} is missing: run `make repro` first, "
                    "the benchmark works on what it writes"
                )

    def features(self, share: bool = False) -> Any:
        """The feature records, a `RecordFolder`; `share` of the first images alone."""
        return self._folder("features", share)

    def tokens(self, share: bool = False) -> Any:
        """The token records, a `RecordFolder`."""
        return self._folder("tokens", share)

    def _folder(self, name: str, share: bool) -> Any:
        from captioning.data.record_folder import RecordFolder

        base = self.work if share else self.root / "data"
        return RecordFolder.open(base / name, verify=False)

    def write_share(self) -> None:
        """Write the first train and validation images' records as folders of their own."""
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
            write_index(self.work / name, whole.spec, shards, whole.extra)


class ShareWriter(Work):
    """Writes the share in a process of its own, see `alternate.Work`."""

    def __init__(self, data: BenchData) -> None:
        self.data = data

    def run(self) -> float:
        """Write it."""
        self.data.write_share()
        return 1

    def facts(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def examples(data: BenchData, split: str, count: int) -> list[tuple[NDArray[Any], list[list[int]]]]:
    """The first images of a split: features `[height, width, C]` as stored, captions' ids."""
    from captioning.training.examples import joined

    records = joined(data.features(), data.tokens(), split)
    return [
        (example["features"].numpy(), example["tokens"].to_list())
        for example in islice(records, count)
    ]
