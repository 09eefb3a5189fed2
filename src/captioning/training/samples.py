"""Captions sample images during training, as the tutorial's `GenerateText` callback does.

Legend: `B` images, `C` feature channels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras

from captioning.core.files import atomic_path
from captioning.decoding.sampler import Sampler
from captioning.decoding.settings import DecodingSettings
from captioning.model import CaptionDecoder
from captioning.text import Vocabulary
from captioning.training.examples import Examples

TEMPERATURES = (0.0, 0.5, 1.0)


class SampleCaptions(keras.callbacks.Callback):
    """Captions the same images after every report, at temperatures 0, 0.5 and 1.

    Args:
        decoder: decoder in training, used with its weights at the time of the report.
        path: where the captions are written, as JSON Lines, one for each report and image.
        examples: images with their feature maps and captions.
        vocabulary: vocabulary of the decoder.
        seed: random seed for sampling.
        verbose: whether the captions are printed too.

    Attributes:
        rows: the lines written so far.
    """

    def __init__(
        self,
        decoder: CaptionDecoder,
        path: Path,
        examples: Examples,
        vocabulary: Vocabulary,
        seed: int,
        verbose: bool = True,
    ) -> None:
        super().__init__()
        self.path = path
        self.image_ids, self.features, self.references = examples
        self.vocabulary = vocabulary
        self.verbose = verbose
        self.greedy = Sampler(decoder, DecodingSettings("greedy"))
        self.sampler = Sampler(decoder, DecodingSettings("sample", seed=seed))
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Write the rows of an interrupted run, or an empty file."""
        self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Caption the images and rewrite the whole file."""
        if len(self.image_ids) == 0:
            return
        captions = {temperature: self._captions(temperature) for temperature in TEMPERATURES}
        # Counted from the rows, because self-critical training continues the numbers.
        report = len(self.rows) // len(self.image_ids) + 1
        if self.verbose:
            temperatures = " | ".join(f"{t:g}" for t in TEMPERATURES)
            print(f"  sample captions of validation images at temperature {temperatures}:")
        for index, image_id in enumerate(self.image_ids):
            by_temperature = {f"{t:g}": captions[t][index] for t in TEMPERATURES}
            row = {
                "report": report,
                "image_id": image_id,
                "references": list(self.references[index]),
                "captions": by_temperature,
            }
            self.rows.append(row)
            if self.verbose:
                shown = " | ".join(caption or "(empty)" for caption in by_temperature.values())
                print(f"  {image_id}: {shown}")
        self._write()

    def _captions(self, temperature: float) -> list[str]:
        """A caption of each image; temperature 0 takes the most probable words.

        The random numbers are the same at every report, so that only the model makes a difference.
        """
        if temperature == 0:
            found = self.greedy.decode(self.features)
        else:
            settings = self.sampler.settings.with_changes(temperature=temperature)
            found = self.sampler.decode(self.features, settings)
        return [self.vocabulary.decode(row) for row in found["tokens"][:, 0].tolist()]

    def _write(self) -> None:
        with atomic_path(self.path) as temporary:
            lines = [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in self.rows]
            temporary.write_bytes("".join(f"{line}\n" for line in lines).encode())
