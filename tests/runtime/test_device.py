"""Sums are the same on any number of cores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# One training step with matrix products large enough to be shared among threads.
STEP = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv[1])])
import hashlib
import keras, numpy as np
from captioning.runtime.device import use_device
from captioning.training.losses import MaskedCrossEntropy
from captioning.model import CaptionDecoder
from captioning.training.split_batch import SplitBatch

use_device(1, int(sys.argv[2]))
decoder = CaptionDecoder(69, (7, 7, 1280), layers=1)
model = SplitBatch(decoder, int(sys.argv[3]))
model.compile(optimizer=keras.optimizers.SGD(0.1), loss=MaskedCrossEntropy(0.1))
random = np.random.default_rng(0)
features = random.random((32, 7, 7, 1280), "float32")
tokens = random.integers(4, 69, (32, 26)).astype("int32")
tokens[:, 0] = 2
model.train_on_batch({"features": features, "tokens": tokens}, tokens)
print(hashlib.sha256(b"".join(w.tobytes() for w in decoder.get_weights())).hexdigest())
"""


def weights_after_a_step(cores: int, threads: int, parts: int) -> str:
    command = [sys.executable, "-c", STEP, str(cores), str(threads), str(parts)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores and CPU affinity",
)
@pytest.mark.parametrize(("threads", "parts"), [(8, 1), (1, 2)])
def test_fixed_threads_and_parts_give_the_same_weights_on_one_core_and_on_two(threads, parts):
    assert weights_after_a_step(1, threads, parts) == weights_after_a_step(2, threads, parts)
