"""What training reads, from the folders that the stages before it wrote.

Legend: `B` images, `N` captions of an image, `T` tokens, `V` vocabulary.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from numpy.typing import NDArray

from captioning.batches import (
    evaluation_batches,
    reference_batches,
    training_batches,
)
from captioning.errors import InputError
from captioning.examples import feature_shape, first_examples
from captioning.model import CaptionDecoder
from captioning.params import TrainParams
from captioning.record_folder import RecordFolder
from captioning.reports import Validation
from captioning.rewards import CaptionReward
from captioning.samples import SampleCaptions
from captioning.shards import INDEX
from captioning.text import load_vocabulary

# Beside the vocabulary's own files.
_COUNTED = ("counts.parquet", "output_bias.npy")


class TrainingData:
    """Features, tokens and vocabulary that belong together.

    Args:
        features, tokens: folders of records whose shards line up.
        vocabulary: folder of the vocabulary.
        params: the `train` section.

    Raises:
        InputError: a file is missing or damaged, or the tokens are of another vocabulary.
    """

    def __init__(
        self, features: Path | str, tokens: Path | str, vocabulary: Path | str, params: TrainParams
    ) -> None:
        self.features, self.tokens = RecordFolder.open(features), RecordFolder.open(tokens)
        folder = Path(vocabulary)
        self.vocabulary = load_vocabulary(folder)
        if self.tokens.extra["vocabulary_sha256"] != self.vocabulary.sha256:
            raise InputError(
                f"{tokens} was written with another vocabulary: run `dvc repro tokens`"
            )
        self.params = params
        #: Occurrences of each token in the train captions, int `[V]`.
        self.counts: NDArray[np.int64] = pq.read_table(folder / "counts.parquet")[
            "count"
        ].to_numpy()
        #: The output layer's initial bias, float32 `[V]`.
        self.output_bias: NDArray[np.float32] = np.load(folder / "output_bias.npy")
        #: All that determines what is read; of records the index, which holds checksums.
        self.files = [
            self.features.folder / INDEX,
            self.tokens.folder / INDEX,
            *(folder / name for name in (*self.vocabulary.files, *_COUNTED)),
        ]

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """`(height, width, C)` of a feature map."""
        return feature_shape(self.features)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the train split."""
        return -(-self.features.count("train") // self.params.batch_images)

    def batches(self) -> tf.data.Dataset:
        """Of the train split, without end, see `training_batches`."""
        return training_batches(
            self.features,
            self.tokens,
            "train",
            self.params.batch_images,
            self.params.captions_per_image,
            self.params.seed,
        )

    def validation(self) -> Validation:
        """On the validation split, and on half as many train images."""
        images = max(self.features.count("validation") // 2, 1)
        size = self.params.batch_images
        return Validation(
            evaluation_batches(self.features, self.tokens, "validation", size),
            evaluation_batches(self.features, self.tokens, "train", size, images),
        )

    def references(self, split: str, seed: int | None = None) -> tf.data.Dataset:
        """See `reference_batches`."""
        size = self.params.batch_images
        return reference_batches(self.features, self.tokens, split, size, seed)

    def reward(self) -> CaptionReward:
        """Of captions, by how common the train split's n-grams are."""
        shards = range(self.tokens.shards("train"))
        captions = (
            record["tokens"].to_list()
            for shard in shards
            for record in self.tokens.dataset("train", shard)
        )
        return CaptionReward.fit(captions, self.params.self_critical.bleu_weight)

    def samples(self, decoder: CaptionDecoder, path: Path) -> SampleCaptions:
        """Captions of the first validation images while training, written to `path`."""
        ids, maps, references = first_examples(
            self.features, self.tokens, self.vocabulary, "validation", self.params.sample_images
        )
        return SampleCaptions(
            decoder, path, ids, maps, references, self.vocabulary, self.params.seed
        )
