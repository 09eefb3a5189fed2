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

from captioning.batch_decoding import AT_ONCE
from captioning.captioner import Captioner
from captioning.decoding import BeamSearch, Sampler
from captioning.errors import InputError
from captioning.predictions import Prediction
from captioning.raw import read_raw
from captioning.record_folder import RecordFolder


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
    captioner: Captioner,
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
    if dict(features.extra) != captioner.source:
        raise InputError(
            f"{features.folder} was extracted by {dict(features.extra)}, but the model was "
            f"trained on {captioner.source}: run `dvc repro`"
        )
    pairs = _pairs(features, raw, split)
    with tqdm(desc=f"captions {split}", unit=" images", disable=None) as progress:
        while images := list(islice(pairs, AT_ONCE * batch_images)):
            yield from _caption_images(captioner, decoder, images, batch_images)
            progress.update(len(images))


def _pairs(
    features: RecordFolder, raw: Path | str, split: str
) -> Iterator[tuple[dict[str, Any], NDArray[Any]]]:
    """Raw rows (without the image) and feature maps `[height, width, C]` of the same images."""
    for shard in range(features.shards(split)):
        records = features.dataset(split, shard).as_numpy_iterator()
        rows = read_raw(raw, split, shard=shard)
        for record, row in zip(records, rows, strict=True):
            if record["image_id"].decode() != row["image_id"]:
                raise InputError(
                    f"{split} shard {shard}: features of {record['image_id'].decode()!r} stand "
                    f"where the raw table has {row['image_id']!r}: "
                    "run `dvc repro --force features`"
                )
            yield {k: v for k, v in row.items() if k != "image"}, record["features"]


def _caption_images(
    captioner: Captioner,
    decoder: Sampler | BeamSearch,
    images: list[tuple[dict[str, Any], NDArray[Any]]],
    batch_images: int,
) -> Iterator[CaptionedImage]:
    """Caption some images, filled up to full batches so that every batch has one shape."""
    features = np.stack([feature_map for _, feature_map in images])
    missing = -len(images) % batch_images
    padded = np.pad(features, ((0, missing), (0, 0), (0, 0), (0, 0)))
    captions, log_probabilities, tokens = captioner.caption(padded, decoder, batch_images)
    attention = captioner.attention(padded, tokens, batch_images)
    for index, (row, _) in enumerate(images):
        said = captioner.vocabulary.pieces(tokens[index].tolist())
        prediction = Prediction(
            image_id=row["image_id"],
            caption=captions[index],
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
