"""Captions a whole split, reading features and raw rows together, batch by batch.

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
from captioning.decoding.random_numbers import stream_of
from captioning.decoding.search import BeamSearch, Sampler
from captioning.evaluation.predictions import Prediction
from captioning.model.bundle import Bundle


@dataclass(frozen=True)
class CaptionedImage:
    """An image's row of the raw table, its caption, and where the decoder attended.

    Args:
        row: row of the raw table, without the image's bytes.
        prediction: caption and references.
        pieces: tokens of the caption: words, or subwords, of which "▁" begins a word.
        words: for each piece the index of its word in the caption, from 0, in ascending order.
        attention: float32 `[pieces, height, width]`, one map for each piece.
    """

    row: Mapping[str, Any]
    prediction: Prediction
    pieces: tuple[str, ...]
    words: tuple[int, ...]
    attention: NDArray[np.float32]

    @property
    def word_attention(self) -> NDArray[np.float32]:
        """The mean map of each word's pieces, float32 `[words, height, width]`; each sums to 1."""
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
    """Caption every image of a split, in the order of the raw table.

    Args:
        bundle: trained decoder with its vocabulary.
        decoder: search method over the bundle's decoder.
        features: folder of feature maps.
        raw: folder of the raw table.
        split: `train`, `validation` or `test`.
        batch_images: number of images in a batch.

    Raises:
        InputError: the features were extracted differently from those that the model was trained
            on, or their shards do not contain the same images as the raw table.
    """
    if dict(features.extra) != bundle.source:
        raise InputError(
            f"{features.folder} was extracted with {dict(features.extra)}, but the model was "
            f"trained on features of {bundle.source}: run `dvc repro`"
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
    """Read raw rows, without the image's bytes, with the feature maps `[height, width, C]`."""
    paths = raw_shards(raw, split)
    if len(paths) != features.shards(split):
        raise InputError(
            f"{raw} has {len(paths)} {split} shards, but {features.folder} has "
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
    """Caption images; the last batch is padded, so that all batches have the same shape."""
    features = np.stack([feature_map for _, feature_map in images])
    missing = -len(images) % batch_images
    padded = np.pad(features, ((0, missing), (0, 0), (0, 0), (0, 0)))
    # An image is sampled in the same way whichever other images are in the split.
    streams = [stream_of(row["image_id"]) for row, _ in images] + [0] * missing
    found = decode_all(decoder, padded, batch_images, streams=streams)
    tokens, log_probabilities = found["tokens"][:, 0], found["log_probability"][:, 0]
    attention = attention_maps(bundle.decoder, padded, tokens, batch_images)
    for index, (row, _) in enumerate(images):
        ids = tokens[index].tolist()
        pieces = bundle.vocabulary.pieces(ids)
        prediction = Prediction(
            image_id=row["image_id"],
            caption=bundle.vocabulary.decode(ids),
            references=tuple(row["captions"]),
            log_probability=round(float(log_probabilities[index]), 5),
            file=row.get("file") or row.get("url"),
        )
        yield CaptionedImage(
            row,
            prediction,
            tuple(piece for piece, _ in pieces),
            tuple(word for _, word in pieces),
            attention[index, : len(pieces)],
        )
