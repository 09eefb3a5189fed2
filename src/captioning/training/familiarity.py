"""Computes from the features of training which pictures are familiar to the model.

The subspace comes from the train split, the threshold from the validation split. The test split is
not read.

Legend: `B` images, `C` feature channels, `K` principal components.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.data.record_folder import RecordFolder
from captioning.model.familiarity import Familiarity, pooled, residual

#: Fewer validation images give no threshold.
MIN_VALIDATION_IMAGES = 5
_MAX_COMPONENTS = 64
# A subspace of more dimensions would fit the few train images too closely.
_IMAGES_PER_COMPONENT = 4
# Probability that a new image of the same kind is flagged, where log distances are normal.
_FLAGGED = 0.001
# Where they are not, about this share of the new images is flagged, at most.
_MOST_FLAGGED = 0.01
_BATCH = 256


def learn_familiarity(features: RecordFolder) -> Familiarity | None:
    """Find the subspace of the train split, and the threshold on the validation split.

    Both splits are read once, in batches. The principal components do not depend on the number of
    threads.

    Args:
        features: folder of feature maps `[height, width, C]`.

    Returns:
        None if the validation split has fewer than `MIN_VALIDATION_IMAGES` images.
    """
    if features.count("validation") < MIN_VALIDATION_IMAGES:
        return None
    mean, components = _principal_components(features)
    held_out = [residual(batch, mean, components) for batch in _pooled(features, "validation")]
    limit = threshold(np.concatenate(held_out))
    return None if limit == 0 else Familiarity(mean, components, np.array(limit, np.float32))


def threshold(distances: NDArray[np.float32]) -> float:
    """A distance that few new images of the same kind exceed.

    It is the larger one of two limits. The upper prediction limit for one more value, where the
    logarithms of distances are normally distributed, is exact for few images: the fewer there are,
    the larger it is. The quantile of the distances needs many images, but no such distribution.

    Args:
        distances: distances of held-out images, float32 `[B]`; at least two.

    Returns:
        The threshold; 0 if all distances are 0.
    """
    positive = distances[distances > 0].astype(np.float64)
    if len(positive) < 2:
        return float(distances.max())
    logs, count = np.log(positive), len(positive)
    width = logs.std(ddof=1) * math.sqrt(1 + 1 / count)
    limit = math.exp(logs.mean() + student_quantile(1 - _FLAGGED, count - 1) * width)
    return max(limit, float(np.quantile(distances, 1 - _MOST_FLAGGED)))


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t distribution, to 4% from 4 degrees of freedom on.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    x = NormalDist().inv_cdf(probability)
    terms: tuple[float, ...] = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


def _principal_components(
    features: RecordFolder,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean float32 `[C]` and principal components float32 `[K, C]` of the train split."""
    count = features.count("train")
    channels = features.spec.shape("features")[-1] or 0
    # At most half of all dimensions: nothing lies outside a subspace of all of them.
    number = min(_MAX_COMPONENTS, count // _IMAGES_PER_COMPONENT, channels // 2)
    # On the CPU, because other devices add in another order; by TensorFlow rather than NumPy,
    # whose eigenvectors depend on the number of cores.
    with tf.device("CPU"):
        total = tf.zeros(channels, tf.float64)
        squares = tf.zeros((channels, channels), tf.float64)
        for batch in _pooled(features, "train"):
            vectors = tf.constant(batch, tf.float64)
            total += tf.reduce_sum(vectors, axis=0)
            squares += tf.matmul(vectors, vectors, transpose_a=True)
        mean = total / count
        covariance = squares / count - tf.tensordot(mean, mean, axes=0)
        ascending = tf.linalg.eigh(covariance)[1].numpy()
    components = ascending[:, ::-1][:, :number].T
    # An eigenvector and its negative are equally right; one of them is chosen.
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(number), largest])[:, None]
    return mean.numpy().astype(np.float32), components.astype(np.float32)


def _pooled(features: RecordFolder, split: str) -> Iterator[NDArray[np.float32]]:
    """Pooled features of a split, float32 `[B, C]`."""
    for shard in range(features.shards(split)):
        for batch in features.dataset(split, shard).batch(_BATCH).as_numpy_iterator():
            yield pooled(batch["features"])
