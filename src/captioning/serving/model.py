"""The model of a server: captions batches of pictures, and describes itself.

Legend: `B` pictures, `S` side of a resized picture in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from captioning.captioner import Caption, Captioner
from captioning.core.errors import InputError
from captioning.decoding.settings import DecodingSettings
from captioning.known_data import caption_language, model_note
from captioning.params.choices import DatasetName
from captioning.params.yaml_file import read_mapping
from captioning.serving.batcher import MAX_BATCH, Job

# Languages by `evaluate.tokenizer`.
_LANGUAGES = {"zh": "zh", "ja-mecab": "ja", "ko-mecab": "ko", "ptb": "en"}


class ServedModel:
    """A trained model that captions batches.

    Args:
        folder: folder of the model, such as `data/model`.

    Raises:
        InputError: the model cannot be loaded, or its backbone is not the installed one.
    """

    def __init__(self, folder: Path) -> None:
        self._captioner = Captioner.load(folder)
        self._extractor = self._captioner.extractor
        dataset, self.language = _origin(folder, self._captioner.dataset)
        self._captioner = self._captioner._replace(dataset=dataset)

    @property
    def threads(self) -> int:
        """Number of batches to caption side by side."""
        return 1

    @property
    def image_size(self) -> int:
        """Side `S` of resized pictures, in pixels."""
        return int(self._captioner.source["image_size"])

    @property
    def name(self) -> dict[str, Any]:
        """What every answer says of the model."""
        return {"dataset": self._captioner.dataset, "note": model_note(self._captioner)}

    @property
    def facts(self) -> dict[str, Any]:
        """What `/v1/model` says of it."""
        return {
            **self.name,
            "language": self.language,
            "extractor": self._extractor.name,
            "image_size": self.image_size,
            "grid": list(self._captioner.decoder.feature_shape[:2]),
            "vocabulary_size": len(self._captioner.vocabulary),
        }

    def warm_up(self) -> None:
        """Compile the graphs of the default settings, for one picture and for several.

        The graphs for one picture have a fixed size. Those for several have any size, so that no
        later batch needs another one.
        """
        black = np.zeros((self.image_size, self.image_size, 3), np.uint8)
        for n in (1, 3):
            job = Job(black, DecodingSettings(), n, True, 0)
            for pictures in (1, MAX_BATCH, 2):
                self.caption([job] * pictures)

    def check(self, settings: DecodingSettings, n: int) -> None:
        """Check that the model can search so.

        Raises:
            InputError: it finds fewer captions, or its captions are shorter than required.
        """
        self._captioner.search(settings, n)

    def caption(self, jobs: Sequence[Job]) -> Sequence[Sequence[Caption]]:
        """Caption the pictures of a batch, all of the same kind (`Job.kind`)."""
        first = jobs[0]
        features = self._captioner.features([job.pixels for job in jobs])
        return self._captioner.caption_features(
            features,
            [job.settings for job in jobs],
            n=first.n,
            attention=first.attention,
            streams=[job.stream for job in jobs],
        )


def _origin(folder: Path, known: str | None) -> tuple[str | None, str | None]:
    """Dataset of a model and language of its captions; None if unknown.

    params.yaml of the project that contains the model's folder names the dataset of a model that
    does not know its own, and the language of captions in any.

    Args:
        folder: folder of the model.
        known: the dataset that the model knows.
    """
    try:
        params = read_mapping(folder.resolve().parents[1] / "params.yaml")
        dataset, tokenizer = params.get("dataset"), params["evaluate"]["tokenizer"]
    except (InputError, IndexError, KeyError, TypeError):
        return known, caption_language(known)
    if dataset not in get_args(DatasetName) or known not in (dataset, None):
        return known, caption_language(known)
    return dataset, _LANGUAGES.get(str(tokenizer)) or caption_language(dataset)
