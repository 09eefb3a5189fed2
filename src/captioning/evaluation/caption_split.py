"""Captioning a whole split: features and raw rows in step, batch by batch.

Legend: `T` tokens, `C` feature channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from captioning.core.errors import InputError
from captioning.data.raw_table import raw_shards, read_raw_shard
from captioning.data.record_folder import RecordFolder
from captioning.decoding.batches import PARALLEL_BATCHES, attention_maps, decode_all
from captioning.decoding.search import BeamSearch, Sampler
from captioning.evaluation.predictions import Prediction
from captioning.model.bundle import Bundle


@dataclass(frozen=True)
class CaptionedImage:
    """One image's row of the raw table, its caption, and where the decoder looked.

    Args:
        row: of the raw table, without the image's bytes.
        prediction: the caption and its references.
        pieces: the tokens said, in words' vocabularies the words; "▁" begins a word of subwords.
        words: which word of the caption each of them is part of, from 0, never falling.
        attention: float32 `[pieces, height, width]`, one map for each of them.
    """

    row: Mapping[str, Any]
    prediction: Prediction
    pieces: tuple[str, ...]
    words: tuple[int, ...]
    attention: NDArray[np.float32]

    @property
    def word_attention(self) -> NDArray[np.float32]:
        """The mean map of each word's pieces, float32 `[words, height, width]`; sums to 1."""
        if self.words == tuple(range(len(self.words))):
            return self.attention
        starts = np.unique(self.words, return_index=True)[1]
        parts = np.split(self.attention, starts[1:])
        return np.stack([part.mean(axis=0) for part in parts])


def caption_split(
    bundle: Bundle,
    decoder: Sampler | BeamSearch,
    features: RecordFolder,
    raw: Path | str,
    split: str,
    batch_images: int,
) -> Iterator[CaptionedImage]:
    """Caption every image of a split, in the raw table's order.

    Raises:
        InputError: the features are not those the model was trained on, or don't line up with
            the raw table.
    """
    if dict(features.extra) != bundle.source:
        raise InputError(
            f"{features.folder} was extracted by {dict(features.extra)}, but the model was "
            f"trained on {bundle.source}: run `dvc repro`"
        )
    pairs = _pairs(features, raw, split)
    total = features.count(split)
    with tqdm(desc=f"captions {split}", total=total, unit=" images", disable=None) as progress:
        while images := list(islice(pairs, PARALLEL_BATCHES * batch_images)):
            yield from _caption_images(bundle, decoder, images, batch_images)
            progress.update(len(images))


def _pairs(
    features: RecordFolder, raw: Path | str, split: str
) -> Iterator[tuple[dict[str, Any], NDArray[Any]]]:
    """Raw rows (without the image) and feature maps `[height, width, C]` of the same images."""
    paths = raw_shards(raw, split)
    if len(paths) != features.shards(split):
        raise InputError(
            f"{raw} has {len(paths)} {split} shards, {features.folder} has "
            f"{features.shards(split)}: run `dvc repro --force features`"
        )
    for shard, path in enumerate(paths):
        records = features.dataset(split, shard).as_numpy_iterator()
        for record, row in zip(records, read_raw_shard(path), strict=True):
            if record["image_id"].decode() != row["image_id"]:
                raise InputError(
                    f"{path}: image {row['image_id']!r} has the features of "
                    f"{record['image_id'].decode()!r}: run `dvc repro --force features`"
                )
            yield {k: v for k, v in row.items() if k != "image"}, record["features"]


def _caption_images(
    bundle: Bundle,
    decoder: Sampler | BeamSearch,
    images: list[tuple[dict[str, Any], NDArray[Any]]],
    batch_images: int,
) -> Iterator[CaptionedImage]:
    """Caption some images, filled up to full batches so that every batch has one shape."""
    features = np.stack([feature_map for _, feature_map in images])
    missing = -len(images) % batch_images
    padded = np.pad(features, ((0, missing), (0, 0), (0, 0), (0, 0)))
    found = decode_all(decoder, padded, batch_images)
    tokens, log_probabilities = found["tokens"], found["log_probability"]
    attention = attention_maps(bundle.decoder, padded, tokens, batch_images)
    for index, (row, _) in enumerate(images):
        ids = tokens[index].tolist()
        said = bundle.vocabulary.pieces(ids)
        prediction = Prediction(
            image_id=row["image_id"],
            caption=bundle.vocabulary.decode(ids),
            references=tuple(row["captions"]),
            log_probability=round(float(log_probabilities[index]), 5),
        )
        yield CaptionedImage(
            row,
            prediction,
            tuple(piece for piece, _ in said),
            tuple(word for _, word in said),
            attention[index, : len(said)],
        )
