"""Folders of features, tokens and vocabulary that belong together, as `train` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from raw_table import write_raw_table
from tiny_training import PARAMS

from captioning.core.splits import SPLITS
from captioning.data.record_writer import write_index, write_shards
from captioning.features.write_features import feature_spec
from captioning.text import Vocabulary, save_statistics
from captioning.tokens import write_tokens
from captioning.training.data import TrainingData

CAPTIONS = {
    "train": [["a dog", "one dog runs"], ["a cat"], ["a dog runs"]],
    "validation": [["a cat runs", "a cat"]],
    "test": [["a dog"]],
}
WORDS = [caption for image in CAPTIONS["train"] for caption in image]


def write_folders(folder: Path, vocabulary: Vocabulary, shards: int = 2) -> None:
    """Write features, tokens and vocabulary as the stages do, with one validation image."""
    write_raw_table(folder / "raw", CAPTIONS, shards)
    write_tokens(folder / "raw", folder / "tokens", vocabulary, 10)
    spec = feature_spec((2, 2, 4), "float16")
    random = np.random.default_rng(0)
    written = {}
    for split in SPLITS:
        maps = {f"{split}{i}": random.random((2, 2, 4)) for i in range(len(CAPTIONS[split]))}
        records = [
            [{"image_id": name, "features": maps[name]} for name in list(maps)[shard::shards]]
            for shard in range(shards)
        ]
        written[split] = write_shards(folder / "features", split, spec, records)
    write_index(folder / "features", spec, written, {"extractor": "none"})
    write_vocabulary(folder / "vocabulary", vocabulary)


def write_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    folder.mkdir(exist_ok=True)
    vocabulary.save(folder)
    save_statistics(folder, vocabulary, vocabulary.count(WORDS))


def open_data(folder: Path) -> TrainingData:
    params = PARAMS.train.model_copy(update={"batch_images": 2, "captions_per_image": None})
    return TrainingData(folder / "features", folder / "tokens", folder / "vocabulary", params)
