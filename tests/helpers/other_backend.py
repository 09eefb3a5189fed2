"""Use saved decoders on the backend that KERAS_BACKEND names: `python other_backend.py FOLDER`.

Reads `inputs.npz` and every `*.keras`; writes to `results.npz` what each gives, and prints which
of some modules were imported on the way.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from captioning.decoding.search import BeamSearch, Sampler
from captioning.model import CaptionDecoder
from captioning.training.losses import MaskedCrossEntropy, TokenAccuracy, TokenCrossEntropy
from captioning.training.optimizer import make_optimizer
from captioning.training.split_batch import SplitBatch

RATE = {"learning_rate": 1e-3, "weight_decay": 0.01, "clip_norm": 1.0}


def use(decoder: CaptionDecoder, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Logits, captions, and what a few steps of training come to."""
    features, tokens = inputs["features"], inputs["tokens"]
    batch = {"features": features, "tokens": tokens[:, :-1]}
    results = {"logits": keras.ops.convert_to_numpy(decoder(batch, training=False))}
    decoders = {
        "greedy": Sampler(decoder, 0.0),
        "sample": Sampler(decoder, 1.0, seed=7),
        "beam": BeamSearch(decoder, 3, 1.0),
    }
    for name, way in decoders.items():
        for key, value in way.predict(features, verbose=0).items():
            results[f"{name}_{key}"] = value
    jit = keras.backend.backend() == "jax"
    decoder.compile(
        optimizer=make_optimizer(**RATE, steps=16),
        loss=MaskedCrossEntropy(0.1),
        metrics=[TokenCrossEntropy(), TokenAccuracy()],
        jit_compile=jit,
    )
    history = decoder.fit(batch, tokens[:, 1:], batch_size=6, epochs=2, shuffle=False, verbose=0)
    results |= {f"history_{name}": np.array(v) for name, v in history.history.items()}
    parted = SplitBatch(decoder, 2)
    optimizer = make_optimizer(**RATE, steps=8)
    parted.compile(optimizer=optimizer, loss=MaskedCrossEntropy(0.1), jit_compile=jit)
    results["loss_in_parts"] = np.array(parted.train_on_batch(batch, tokens[:, 1:]))
    return results | {f"weight_{w.path}": keras.ops.convert_to_numpy(w) for w in decoder.weights}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    given = dict(np.load(folder / "inputs.npz"))
    found = {}
    for path in sorted(folder.glob("*.keras")):
        values = use(keras.saving.load_model(path, compile=False), given)
        found |= {f"{path.stem}/{name}": value for name, value in values.items()}
    np.savez(folder / "results.npz", **found)
    print(*(name for name in ("jax", "tensorflow", "torch") if name in sys.modules))
