"""What TensorFlow computes on, and that it computes the same every time."""

from __future__ import annotations

import keras
import tensorflow as tf


def use_device(seed: int, threads: int | None = None) -> bool:
    """Prepare TensorFlow, before its first operation: memory growth on GPUs, seeds, determinism.

    Args:
        seed: of Python, NumPy and TensorFlow.
        threads: that share one operation's arithmetic on the CPU; None means one a core.

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
