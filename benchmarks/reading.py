"""Reading a shuffled epoch of features and tokens from disk, in bytes per second."""

from __future__ import annotations

from pathlib import Path

from benchmarks.alternate import Work
from benchmarks.data import BenchData
from benchmarks.machine import drop_from_page_cache, read_through


def train_files(data: BenchData) -> list[Path]:
    """The shards of the train split, features and tokens."""
    return [
        records.folder / summary["file"]
        for records in (data.features(), data.tokens())
        for summary in records.splits["train"]
    ]


class Sequential(Work):
    """The limit: reading the same files from start to end.

    Args:
        data: data whose train split is read.
    """

    def __init__(self, data: BenchData) -> None:
        self.files = train_files(data)
        read_through(self.files)
        self.between()

    def run(self) -> float:
        """Read the files; return the number of bytes."""
        return read_through(self.files)

    def between(self) -> None:
        """Make the next run read from disk."""
        drop_from_page_cache(self.files)


class Batches(Work):
    """This project's side: an epoch of training batches, shuffled, parsed, joined, padded.

    Args:
        data: data whose train split is read.
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
        # One stream for all runs, as in training: the shuffle buffer is filled once per epoch.
        self.batches = iter(batches)
        self.run()
        self.between()

    def run(self) -> float:
        """Read an epoch; return the bytes of its records."""
        for _ in range(self.steps):
            next(self.batches)
        return self.bytes

    def between(self) -> None:
        """Make the next run read from disk."""
        drop_from_page_cache(self.files)
