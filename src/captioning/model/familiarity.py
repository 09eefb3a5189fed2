"""How far pictures lie from those of training: the distance of their features from a subspace.

A picture's feature map is averaged over its cells and scaled to length 1. Features of the training
pictures lie close to a subspace of few dimensions, found by principal component analysis. The
distance is the length of the part outside this subspace ("residual"; Wang et al. 2022, ViM, use it
to find pictures of unknown classes). docs/familiarity.md explains the choice, with measurements.

Legend: `B` images, `C` feature channels, `K` principal components.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from captioning.core.files import atomic_path
from captioning.core.opening import opening

# Maps of zeros keep the length 0.
_SHORTEST = 1e-12


class Familiarity(NamedTuple):
    """What is known of the features of the training pictures.

    Attributes:
        mean: mean of the train split's pooled features, float32 `[C]`; see `pooled`.
        components: orthonormal principal components of these features, float32 `[K, C]`.
        threshold: distance above which a picture counts as unfamiliar, a float32 `[]`.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    threshold: NDArray[np.float32]

    def distance(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Distances of pictures from those of training, relative to the threshold.

        Args:
            features: feature maps `[B, height, width, C]`.

        Returns:
            Distances float32 `[B]`, 0 or greater. Above 1, a picture counts as unfamiliar.
        """
        return residual(pooled(features), self.mean, self.components) / self.threshold


def pooled(features: NDArray[Any]) -> NDArray[np.float32]:
    """Average feature maps `[B, height, width, C]` over their cells and scale them to length 1.

    Without the scaling, pictures with weak features, such as black ones, would seem familiar.

    Returns:
        Vectors float32 `[B, C]`. Those of maps of zeros are zero.
    """
    means: NDArray[np.float32] = features.astype(np.float32).mean(axis=(1, 2))
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means / np.maximum(lengths, _SHORTEST), np.float32)


def residual(
    vectors: NDArray[np.float32], mean: NDArray[np.float32], components: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Distances of vectors from the subspace through `mean` that `components` span.

    Args:
        vectors: pooled features, float32 `[B, C]`.
        mean: float32 `[C]`.
        components: orthonormal rows, float32 `[K, C]`.

    Returns:
        Distances float32 `[B]`.
    """
    centered = vectors - mean
    outside = centered - (centered @ components.T) @ components
    return np.asarray(np.linalg.norm(outside, axis=1), np.float32)


def save_familiarity(path: Path, familiarity: Familiarity) -> None:
    """Write the arrays to an `.npz` file. The same arrays always give the same bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **familiarity._asdict())


def load_familiarity(path: Path, channels: int) -> Familiarity:
    """Read a file that `save_familiarity` wrote.

    Args:
        path: the file.
        channels: number of feature channels of the decoder, `C`.

    Raises:
        InputError: the file is missing or damaged.
    """
    with opening(path):
        with np.load(path, allow_pickle=False) as file:
            found = Familiarity(*(file[name] for name in Familiarity._fields))
        shapes = [array.shape for array in found]
        if shapes != [(channels,), (len(found.components), channels), ()]:
            raise ValueError(f"it has arrays of the shapes {shapes}")
        if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in found):
            raise ValueError("an array does not hold finite numbers of float32")
        if found.threshold <= 0:
            raise ValueError("the threshold is not positive")
    return found
