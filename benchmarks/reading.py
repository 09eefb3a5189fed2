"""Reading a shuffled epoch of features and tokens from the disk, bytes a second."""

from __future__ import annotations

from pathlib import Path

from benchmarks.alternate import Work
from benchmarks.data import BenchData
from benchmarks.machine import forget, read_through


def train_files(data: BenchData) -> list[Path]:
    """The train split's shards, features and tokens."""
    return [
        records.folder / summary["file"]
        for records in (data.features(), data.tokens())
        for summary in records.splits["train"]
    ]


class Sequential(Work):
    """The machine: the same files from start to end.

    Args:
        data: whose train split is read.
    """

    def __init__(self, data: BenchData) -> None:
        self.files = train_files(data)
        read_through(self.files)
        self.between()

    def run(self) -> float:
        """Read; bytes."""
        return read_through(self.files)

    def between(self) -> None:
        """Make the next run read from the disk."""
        forget(self.files)


class Batches(Work):
    """Ours: an epoch of training batches, shuffled, decoded, joined, padded.

    Args:
        data: whose train split is read.
    """

    def __init__(self, data: BenchData) -> None:
        from captioning.runtime.device import use_device
        from captioning.training.batches import training_batches

        settings = data.params.train
        use_device(settings.seed, settings.threads)
        features, tokens = data.features(), data.tokens()
        batches = training_batches(
            features, tokens, "train", settings.batch_images, None, settings.seed
        )
        self.steps = -(-features.count("train") // settings.batch_images)
        self.files = train_files(data)
        self.bytes = sum(path.stat().st_size for path in self.files)
        # One stream from run to run, as in training: the shuffle buffer is filled once an epoch.
        self.batches = iter(batches)
        self.run()
        self.between()

    def run(self) -> float:
        """An epoch; bytes of its records."""
        for _ in range(self.steps):
            next(self.batches)
        return self.bytes

    def between(self) -> None:
        """Make the next run read from the disk."""
        forget(self.files)
