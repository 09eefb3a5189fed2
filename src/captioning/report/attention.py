"""Attention maps of stored captions, computed again by the model that wrote them.

The file of predictions holds no maps. One pass of the decoder over a finished caption gives the
maps that it had while writing it.

Legend: `B` images, `T` tokens, `W` words, `h`, `w` rows and columns of an attention map.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captioning.core.errors import InputError

_BATCH = 64
_LEVELS = 255


class Attention(NamedTuple):
    """The maps of captions.

    Attributes:
        grid: rows and columns of a map.
        maps: the maps of each image's caption as text, see `packed`.
    """

    grid: tuple[int, int]
    maps: dict[str, str]


def attention_of_captions(folder: Path, split: str, captions: Mapping[str, str]) -> Attention:
    """Compute the maps of captions of one split.

    A caption that the vocabulary does not spell exactly has none.

    Args:
        folder: folder that contains `data/model` and `data/features`.
        split: `train`, `validation` or `test`.
        captions: captions by image; images of the split that are not among them are skipped.

    Raises:
        InputError: a file is missing or damaged, or the features are not those of the model.
    """
    # Imported here: TensorFlow takes seconds.
    from captioning.model.bundle import load_bundle

    bundle = load_bundle(folder / "data/model")
    features = _features(folder / "data/features", split)
    if dict(features.extra) != bundle.source:
        raise InputError("data/features is not what data/model was trained on: run `dvc repro`")
    rows, columns, _ = bundle.decoder.feature_shape
    found = Attention((rows, columns), {})
    records = chain.from_iterable(
        features.dataset(split, shard).as_numpy_iterator()
        for shard in range(features.shards(split))
    )
    wanted = ((r["image_id"].decode(), r["features"]) for r in records)
    chosen = (pair for pair in wanted if pair[0] in captions)
    while batch := list(islice(chosen, _BATCH)):
        found.maps.update(_batch_maps(bundle, batch, captions))
    return found


def _features(folder: Path, split: str) -> Any:
    """Open one split of the features; the other splits may be missing."""
    from captioning.data.record_folder import RecordFolder
    from captioning.data.record_index import read_index
    from captioning.data.record_spec import RecordSpec

    index = read_index(folder)
    for summary in index["splits"][split]:
        path = folder / summary["file"]
        if not path.is_file() or path.stat().st_size != summary["bytes"]:
            raise InputError(
                f"data/features/{path.name} is missing or truncated: run `dvc repro features`"
            )
    spec = RecordSpec.from_json(index["fields"])
    return RecordFolder(folder, spec, {split: index["splits"][split]}, index["extra"])


def _batch_maps(
    bundle: Any, batch: list[tuple[str, NDArray[Any]]], captions: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield each image of a batch with its maps as text."""
    from captioning.decoding.batches import attention_maps

    vocabulary, length = bundle.vocabulary, bundle.decoder.max_length
    ids = [vocabulary.encode(captions[image])[:length] for image, _ in batch]
    # Always a full batch of the full length, so that TensorFlow plans a single shape.
    tokens = np.zeros((_BATCH, length), np.int32)
    for row, given in enumerate(ids):
        tokens[row, : len(given)] = given
    features = np.stack([feature for _, feature in batch])
    features = np.pad(features, ((0, _BATCH - len(batch)), (0, 0), (0, 0), (0, 0)))
    maps = attention_maps(bundle.decoder, features, tokens, _BATCH)
    for row, (image, _) in enumerate(batch):
        if vocabulary.decode(ids[row]) == captions[image] != "":
            pieces = vocabulary.pieces(ids[row])
            yield image, packed(word_maps(maps[row, : len(pieces)], [word for _, word in pieces]))


def word_maps(maps: NDArray[np.float32], words: list[int]) -> NDArray[np.float32]:
    """The mean map of the pieces of each word, float32 `[W, h, w]`.

    Args:
        maps: a map for each piece of a caption, float32 `[pieces, h, w]`.
        words: for each piece the index of its word, in ascending order.
    """
    starts = np.unique(words, return_index=True)[1]
    return np.stack([part.mean(axis=0) for part in np.split(maps, starts[1:])])


def packed(maps: NDArray[np.float32]) -> str:
    """Write maps as text: 8 bits for each cell, in base64.

    For each word first its highest share, of 255; then the cells row by row, relative to it.

    Args:
        maps: float32 `[W, h, w]`; each sums to 1.
    """
    cells = maps.reshape(len(maps), -1)
    highest = cells.max(axis=1, keepdims=True)
    relative = cells / np.maximum(highest, np.finfo(np.float32).tiny)
    levels = np.rint(np.hstack([highest, relative]) * _LEVELS).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()
