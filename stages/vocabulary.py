"""Stage `vocabulary`: which tokens the model may say, from the train split's captions alone."""

from __future__ import annotations

from collections.abc import Iterator

import _environment  # noqa: F401
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from captioning.files import atomic_path, fresh_folder, write_json
from captioning.params import Params
from captioning.raw import read_raw
from captioning.shards import SPLITS
from captioning.stage import stage_main
from captioning.text import (
    END,
    START,
    UNK,
    Standardization,
    fit_vocabulary,
    marginal_entropy,
    output_bias,
    uniform_entropy,
)


def vocabulary(params: Params) -> None:
    """Write data/vocabulary and metrics/vocabulary.json."""
    settings = params.vocabulary
    standardization = Standardization(
        settings.normalization, settings.lowercase, settings.punctuation
    )
    tokens = fit_vocabulary(
        settings.kind,
        captions("train"),
        standardization,
        settings.max_size,
        settings.min_count,
        settings.character_coverage,
    )
    counts = tokens.count(captions("train"))
    with fresh_folder("data/vocabulary") as folder:
        tokens.save(folder)
        table = pa.table({"token": list(tokens.tokens), "count": pa.array(counts, pa.int64())})
        with atomic_path(folder / "counts.parquet") as path:
            pq.write_table(table, path, compression="zstd")
        with atomic_path(folder / "output_bias.npy") as path:
            np.save(path, output_bias(counts), allow_pickle=False)
    unknown = {"train": unknown_share(counts)}
    unknown |= {split: unknown_share(tokens.count(captions(split))) for split in SPLITS[1:]}
    write_json(
        "metrics/vocabulary.json",
        {
            "size": len(tokens),
            "coverage": round(1 - unknown["train"], 6),
            "out_of_vocabulary_rate": {split: round(unknown[split], 6) for split in SPLITS},
            "uniform_entropy": round(uniform_entropy(len(tokens)), 6),
            "marginal_entropy": round(marginal_entropy(counts), 6),
        },
    )


def captions(split: str) -> Iterator[str]:
    """Every caption of one split, read as they are asked for."""
    for row in read_raw("data/raw", split, columns=["captions"]):
        yield from row["captions"]


def unknown_share(counts: NDArray[np.int64]) -> float:
    """Share of the words or pieces that are unknown; 0 where there is none."""
    said = int(counts.sum() - counts[START] - counts[END])
    return int(counts[UNK]) / said if said else 0.0


if __name__ == "__main__":
    stage_main(vocabulary)
