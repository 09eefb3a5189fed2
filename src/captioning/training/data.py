"""Reads what training needs: features, tokens and vocabulary, as datasets and arrays.

Legend: `B` images, `N` captions of an image, `T` tokens, `V` vocabulary, `C` feature channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from captioning.core.errors import InputError
from captioning.core.splits import INDEX, SPLITS
from captioning.data.record_folder import RecordFolder
from captioning.params.stages import TrainParams
from captioning.text import load_bias, load_counts, load_vocabulary
from captioning.text.statistics import BIAS_FILE, COUNTS_FILE
from captioning.training.batches import (
    evaluation_batches,
    reference_batches,
    training_batches,
)
from captioning.training.examples import Examples, feature_shape, first_examples


class MeasuredBatches(NamedTuple):
    """Batches for the learning curves, see `evaluation_batches`.

    Attributes:
        validation: batches of the whole validation split.
        train: batches of half as many train images, always the same ones.
    """

    validation: tf.data.Dataset
    train: tf.data.Dataset


class TrainingData:
    """Features, tokens and vocabulary that belong together.

    Args:
        features: folder of feature records.
        tokens: folder of token records; its shards line up with those of the features.
        vocabulary: folder of the vocabulary.
        params: the `train` section.

    Attributes:
        counts: number of occurrences of each token in the train captions, int64 `[V]`.
        output_bias: initial bias of the output layer, float32 `[V]`.
        files: every file that determines what is read; for records, the index with its checksums.

    Raises:
        InputError: a file is missing or damaged, or the tokens belong to another vocabulary.
    """

    def __init__(
        self, features: Path | str, tokens: Path | str, vocabulary: Path | str, params: TrainParams
    ) -> None:
        self.features, self.tokens = RecordFolder.open(features), RecordFolder.open(tokens)
        folder = Path(vocabulary)
        self.vocabulary = load_vocabulary(folder)
        if self.tokens.extra.get("vocabulary_sha256") != self.vocabulary.sha256:
            raise InputError(
                f"{tokens} was written with another vocabulary: run `dvc repro tokens`"
            )
        _check_same_images(self.features, self.tokens)
        self.params = params
        self.counts = load_counts(folder, self.vocabulary)
        self.output_bias = load_bias(folder, self.counts)
        self.files = [
            self.features.folder / INDEX,
            self.tokens.folder / INDEX,
            *(folder / name for name in (*self.vocabulary.files, COUNTS_FILE, BIAS_FILE)),
        ]

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """`(height, width, C)` of a feature map."""
        return feature_shape(self.features)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in one pass over the train split."""
        return -(-self.features.count("train") // self.params.batch_images)

    def batches(self) -> tf.data.Dataset:
        """Batches of the train split, repeated without end; see `training_batches`."""
        return training_batches(
            self.features,
            self.tokens,
            "train",
            self.params.batch_images,
            self.params.captions_per_image,
            self.params.seed,
        )

    def measured(self) -> MeasuredBatches:
        """Batches for the learning curves."""
        images = max(self.features.count("validation") // 2, 1)
        size = self.params.batch_images
        return MeasuredBatches(
            evaluation_batches(self.features, self.tokens, "validation", size),
            evaluation_batches(self.features, self.tokens, "train", size, images),
        )

    def references(self, split: str, seed: int | None = None) -> tf.data.Dataset:
        """Images with all their captions; see `reference_batches`."""
        size = self.params.batch_images
        return reference_batches(self.features, self.tokens, split, size, seed)

    def captions(self, split: str) -> Iterator[list[list[int]]]:
        """Token ids of each image's captions, image by image."""
        for shard in range(self.tokens.shards(split)):
            for record in self.tokens.dataset(split, shard):
                yield record["tokens"].to_list()

    def samples(self) -> Examples:
        """The first `train.sample_images` validation images."""
        count = self.params.sample_images
        return first_examples(self.features, self.tokens, self.vocabulary, "validation", count)


def _check_same_images(features: RecordFolder, tokens: RecordFolder) -> None:
    """Check that the shards of both folders hold equally many images."""
    for split in SPLITS:
        one, other = (
            [shard["examples"] for shard in folder.splits[split]] for folder in (features, tokens)
        )
        if one != other:
            raise InputError(
                f"{features.folder} and {tokens.folder} have different {split} images "
                f"({one} and {other} in their shards): run `dvc repro`"
            )
