"""Saves and loads what is counted in the train captions: token counts and the output bias.

Legend: `V` tokens in the vocabulary, including the special tokens.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captioning.core.errors import InputError
from captioning.core.files import atomic_path
from captioning.core.opening import opening, restoring
from captioning.text.bias import output_bias
from captioning.text.vocabulary import Vocabulary

#: Files beside those of the vocabulary.
COUNTS_FILE, BIAS_FILE = "counts.parquet", "output_bias.npy"
_SUM_KEY = b"vocabulary_sha256"


def save_statistics(folder: Path, vocabulary: Vocabulary, counts: NDArray[np.int64]) -> None:
    """Write the counts, with the checksum of their vocabulary, and the bias that follows from them.

    Args:
        folder: where `counts.parquet` (columns `token` and `count`) and `output_bias.npy`
            (float32 `[V]`) are written.
        vocabulary: the tokens that were counted.
        counts: number of occurrences of each token in the train captions, int64 `[V]`.
    """
    # Imported here, because captioning needs no counts.
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"token": list(vocabulary.tokens), "count": pa.array(counts, pa.int64())}
    table = pa.table(columns).replace_schema_metadata({_SUM_KEY: vocabulary.sha256})
    with atomic_path(folder / COUNTS_FILE) as path:
        pq.write_table(table, path, compression="zstd", write_page_checksum=True)
    with atomic_path(folder / BIAS_FILE) as path:
        np.save(path, output_bias(counts), allow_pickle=False)


def load_counts(folder: Path, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Load the counts of a vocabulary's tokens in the train captions, int64 `[V]`.

    This also proves that the files of the vocabulary are those that were counted.

    Raises:
        InputError: the file is missing or damaged, or the vocabulary is not that which was counted.
    """
    import pyarrow.parquet as pq

    path = folder / COUNTS_FILE
    with opening(path):
        # Opened by its own name: PyArrow would take a name with a colon for a URL.
        with path.open("rb") as file:
            table = pq.read_table(file, page_checksum_verification=True)
        if (table.schema.metadata or {}).get(_SUM_KEY) != vocabulary.sha256.encode():
            names = " and ".join((*vocabulary.files, COUNTS_FILE))
            raise InputError(
                f"{folder}: {names} do not belong together: delete them and {restoring(folder)}"
            )
        column = table["count"].combine_chunks()
        if column.null_count:
            raise ValueError("a count is missing")
        counts = np.asarray(column.to_numpy(), np.int64)
        if counts.shape != (len(vocabulary),) or (counts < 0).any():
            raise ValueError(f"it does not hold {len(vocabulary)} counts")
    return counts


def load_bias(folder: Path, counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Load the initial bias of the output layer, float32 `[V]`.

    Args:
        folder: folder of the vocabulary.
        counts: the counts from which the bias was computed, int64 `[V]`.

    Raises:
        InputError: the file is missing or damaged, or the bias is not that of the counts.
    """
    path = folder / BIAS_FILE
    with opening(path):
        # Mapped, not read: a damaged header could demand any amount of memory.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if mapped.dtype != np.float32 or mapped.shape != counts.shape:
            raise ValueError(
                f"{mapped.dtype} {list(mapped.shape)} instead of float32 {list(counts.shape)}"
            )
        bias: NDArray[np.float32] = np.array(mapped)
        if not np.allclose(bias, output_bias(counts), rtol=1e-5, atol=1e-5):
            raise ValueError(f"its values do not follow from {COUNTS_FILE}")
    return bias
