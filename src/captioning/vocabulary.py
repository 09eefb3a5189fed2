"""Stage `vocabulary`: fit the vocabulary to the train captions, and measure it on every split.

Legend: `V` tokens in the vocabulary, including the special tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from captioning.core.files import fresh_folder
from captioning.core.splits import SPLITS
from captioning.data.raw_table import read_raw
from captioning.params.stages import VocabularyParams
from captioning.text import (
    END,
    START,
    UNK,
    Standardization,
    fit_vocabulary,
    marginal_entropy,
    save_statistics,
    uniform_entropy,
)


def write_vocabulary(raw: Path | str, folder: Path, params: VocabularyParams) -> dict[str, Any]:
    """Fit a vocabulary, and write it with its counts and the initial bias of the output layer.

    Args:
        raw: folder of the raw table.
        folder: output folder; its old content is deleted. The files of the vocabulary are written
            there, `counts.parquet` (columns `token` and `count`, int64 `[V]`) and
            `output_bias.npy` (float32 `[V]`).
        params: section `vocabulary` of params.yaml.

    Returns:
        `size`, the number of tokens; `coverage`, the share of tokens in the train captions that
        are in the vocabulary; `out_of_vocabulary_rate` of each split; `uniform_entropy` and
        `marginal_entropy` in nats.

    Raises:
        InputError: the train captions contain no word, or `max_size` is too small.
    """
    vocabulary = fit_vocabulary(
        params.kind,
        _captions(raw, "train"),
        Standardization(params.normalization, params.lowercase, params.punctuation),
        params.max_size,
        params.min_count,
        params.character_coverage,
    )
    counts = {split: vocabulary.count(_captions(raw, split)) for split in SPLITS}
    with fresh_folder(folder):
        vocabulary.save(folder)
        save_statistics(folder, vocabulary, counts["train"])
    unknown = {split: _unknown_share(counts[split]) for split in SPLITS}
    return {
        "size": len(vocabulary),
        "coverage": round(1 - unknown["train"], 6),
        "out_of_vocabulary_rate": {split: round(unknown[split], 6) for split in SPLITS},
        "uniform_entropy": round(uniform_entropy(len(vocabulary)), 6),
        "marginal_entropy": round(marginal_entropy(counts["train"]), 6),
    }


def _captions(raw: Path | str, split: str) -> Iterator[str]:
    """All captions of one split, read one row group at a time."""
    for row in read_raw(raw, split, columns=["captions"]):
        yield from row["captions"]


def _unknown_share(counts: NDArray[np.int64]) -> float:
    """Share of unknown tokens, not counting `[START]` and `[END]`; 0 if there are no tokens."""
    tokens = int(counts.sum() - counts[START] - counts[END])
    return int(counts[UNK]) / tokens if tokens else 0.0
