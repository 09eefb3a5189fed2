"""Run saved decoders on the backend in KERAS_BACKEND: `python other_backend.py FOLDER`.

Reads `inputs.npz` and every `*.keras` in the folder, and writes the results of each decoder to
`results.npz`. Prints which of the modules jax, tensorflow and torch were imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.model import CaptionDecoder
from captioning.training.losses import MaskedCrossEntropy, TokenAccuracy, TokenCrossEntropy
from captioning.training.optimizer import make_optimizer
from captioning.training.split_batch import SplitBatch

RATE = {"learning_rate": 1e-3, "weight_decay": 0.01, "clip_norm": 1.0}

RULES = {"minimum_length": 3, "no_repeat_ngram": 2}


def run_decoder(decoder: CaptionDecoder, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Logits, captions, and the losses and weights after a few training steps."""
    features, tokens = inputs["features"], inputs["tokens"]
    batch = {"features": features, "tokens": tokens[:, :-1]}
    results = {"logits": keras.ops.convert_to_numpy(decoder(batch, training=False))}
    searches = {
        "greedy": (DecodingSettings("greedy"), 1),
        "sample": (DecodingSettings("sample", seed=7), 1),
        "beam": (DecodingSettings(), 1),
        "several": (DecodingSettings("sample", top_k=8, top_p=0.9, **RULES), 4),
        "groups": (DecodingSettings(beam_width=6, beam_groups=3, diversity=0.5, **RULES), 6),
    }
    for name, (settings, captions) in searches.items():
        search = make_decoder(decoder, settings, captions)
        for key, value in search.decode(features).items():
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
    split_batch = SplitBatch(decoder, 2)
    optimizer = make_optimizer(**RATE, steps=8)
    split_batch.compile(optimizer=optimizer, loss=MaskedCrossEntropy(0.1), jit_compile=jit)
    results["split_batch_loss"] = np.array(split_batch.train_on_batch(batch, tokens[:, 1:]))
    return results | {f"weight_{w.path}": keras.ops.convert_to_numpy(w) for w in decoder.weights}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    inputs_of_all = dict(np.load(folder / "inputs.npz"))
    results = {}
    for path in sorted(folder.glob("*.keras")):
        values = run_decoder(keras.saving.load_model(path, compile=False), inputs_of_all)
        results |= {f"{path.stem}/{name}": value for name, value in values.items()}
    np.savez(folder / "results.npz", **results)
    print(*(name for name in ("jax", "tensorflow", "torch") if name in sys.modules))
