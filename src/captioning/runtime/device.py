"""Prepares TensorFlow: GPUs, threads, seeds and determinism."""

from __future__ import annotations

import keras
import tensorflow as tf


def use_device(seed: int, threads: int | None = None) -> bool:
    """Make TensorFlow deterministic and let it take GPU memory as needed.

    It must be called before TensorFlow's first operation.

    Args:
        seed: random seed for Python, NumPy and TensorFlow.
        threads: number of CPU threads that share the arithmetic of one operation; None means one
            for each core.

    Returns:
        Whether there is a GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return bool(gpus)
