"""Sample captions of fixed images while training, as the tutorial's `GenerateText` callback.

Legend: `B` images, `C` feature channels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from captioning.decoding import Sampler
from captioning.files import atomic_path
from captioning.text import Vocabulary

TEMPERATURES = (0.0, 0.5, 1.0)


class SampleCaptions(keras.callbacks.Callback):
    """After every report, captions the same images at temperatures 0, 0.5 and 1.

    Args:
        path: JSON Lines, one line for every report and image.
        image_ids: of the images.
        features: their feature maps `[B, height, width, C]`.
        references: their captions.
        vocabulary: of the model.
        seed: of the draws.
        verbose: whether to print them as well.
    """

    def __init__(
        self,
        path: Path,
        image_ids: Sequence[str],
        features: NDArray[Any],
        references: Sequence[Sequence[str]],
        vocabulary: Vocabulary,
        seed: int,
        verbose: bool = True,
    ) -> None:
        super().__init__()
        self.path = path
        self.image_ids = image_ids
        self.features = features
        self.references = references
        self.vocabulary = vocabulary
        self.seed = seed
        self.verbose = verbose
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Compile one decoder a temperature, once."""
        self.decoders = {
            temperature: Sampler(self.model, temperature, self.seed) for temperature in TEMPERATURES
        }
        self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Caption the images and rewrite the file whole."""
        if len(self.image_ids) == 0:
            return
        for decoder in self.decoders.values():
            # The same draws at every report: what differs comes from the model.
            decoder.reseed()
        captions = {
            temperature: [
                self.vocabulary.decode(row)
                for row in decoder.predict(self.features, verbose=0)["tokens"].tolist()
            ]
            for temperature, decoder in self.decoders.items()
        }
        for index, image_id in enumerate(self.image_ids):
            said = {f"{t:g}": captions[t][index] for t in TEMPERATURES}
            row = {
                "report": epoch + 1,
                "image_id": image_id,
                "references": list(self.references[index]),
                "captions": said,
            }
            self.rows.append(row)
            if self.verbose:
                print(f"  {image_id}: " + " | ".join(said.values()))
        self._write()

    def _write(self) -> None:
        with atomic_path(self.path) as temporary:
            lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in self.rows]
            temporary.write_bytes("".join(f"{line}\n" for line in lines).encode())
