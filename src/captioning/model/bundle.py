"""Save and load the files in `data/model`: decoder, vocabulary, and what they were trained on.

This needs no backbone, because training and evaluation read features instead of images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras

from captioning.core.errors import InputError
from captioning.core.files import sha256
from captioning.core.opening import (
    DamagedError,
    opening,
    read_sealed_json,
    write_sealed_json,
)
from captioning.model.archive import save_model
from captioning.model.decoder import CaptionDecoder
from captioning.model.familiarity import Familiarity, load_familiarity, save_familiarity
from captioning.text import Vocabulary, load_vocabulary

DECODER_FILE, VOCABULARY_FILE, SOURCE_FILE = "decoder.keras", "vocabulary.txt", "captioner.json"
FAMILIARITY_FILE = "familiarity.npz"
_SOURCE_TYPES = {"extractor": str, "image_size": int, "weights_sha256": str}
# Keys that earlier versions of this project did not write.
_OPTIONAL = ("dataset", "decoder_sha256", "familiarity_sha256", "vocabulary_sha256")


class Bundle(NamedTuple):
    """A trained decoder with its vocabulary and the origin of its features.

    Attributes:
        decoder: trained Keras model.
        vocabulary: vocabulary that defines the decoder's token ids.
        source: how the training features were made: `extractor`, `image_size`, `weights_sha256`.
        dataset: name of the data set of training, as in `params.yaml`; None if it is unknown.
        familiarity: tells which pictures are unlike those of training; None if it is unknown,
            because the validation split was too small or the model is older than this.
    """

    decoder: CaptionDecoder
    vocabulary: Vocabulary
    source: dict[str, Any]
    dataset: str | None = None
    familiarity: Familiarity | None = None


def save_bundle(folder: Path | str, bundle: Bundle) -> None:
    """Write a bundle to `folder`. The same bundle always gives the same bytes."""
    folder = Path(folder)
    save_model(bundle.decoder, folder / DECODER_FILE)
    bundle.vocabulary.save(folder)
    values = {
        **bundle.source,
        "dataset": bundle.dataset,
        "decoder_sha256": sha256(folder / DECODER_FILE),
        "vocabulary_sha256": bundle.vocabulary.sha256,
    }
    if bundle.familiarity is not None:
        save_familiarity(folder / FAMILIARITY_FILE, bundle.familiarity)
        values["familiarity_sha256"] = sha256(folder / FAMILIARITY_FILE)
    write_sealed_json(folder / SOURCE_FILE, values)


def load_bundle(folder: Path | str) -> Bundle:
    """Read a folder that `save_bundle` wrote.

    Raises:
        InputError: a file is missing or damaged, or the vocabulary does not belong to the decoder.
    """
    folder = Path(folder)
    for name in (DECODER_FILE, VOCABULARY_FILE, SOURCE_FILE):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is missing: run `dvc repro train` or `dvc pull`")
    source = _read_source(folder / SOURCE_FILE)
    vocabulary = load_vocabulary(folder)
    if vocabulary.sha256 != source.pop("vocabulary_sha256", None):
        raise InputError(
            f"{folder}: {DECODER_FILE} was trained with another vocabulary than that in "
            f"{' and '.join(vocabulary.files)}: run `dvc repro train` or `dvc checkout`"
        )
    decoder = _load_decoder(folder / DECODER_FILE, source.pop("decoder_sha256", None))
    if decoder.vocabulary_size != len(vocabulary):
        size = decoder.vocabulary_size
        raise DamagedError(folder / DECODER_FILE, f"{size} tokens instead of {len(vocabulary)}")
    familiarity = _load_familiarity(
        folder / FAMILIARITY_FILE, decoder, source.pop("familiarity_sha256", None)
    )
    return Bundle(decoder, vocabulary, source, source.pop("dataset", None), familiarity)


def _read_source(path: Path) -> dict[str, Any]:
    """Read `captioner.json`, and check its keys."""
    source = read_sealed_json(path, required=False)
    for name, kind in _SOURCE_TYPES.items():
        if type(source.get(name)) is not kind:
            raise DamagedError(path, f"{name} is missing or no {kind.__name__}")
    if unknown := source.keys() - {*_SOURCE_TYPES, *_OPTIONAL}:
        raise DamagedError(path, f"unknown key {min(unknown)!r}")
    if not isinstance(source.get("dataset"), str | None):
        raise DamagedError(path, "dataset is no text")
    return source


def _load_decoder(path: Path, checksum: str | None) -> CaptionDecoder:
    """Load a decoder, after comparing its checksum if there is one."""
    with opening(path):
        if checksum is not None and sha256(path) != checksum:
            raise ValueError(f"its checksum is not that in {SOURCE_FILE}")
        decoder = keras.saving.load_model(path, compile=False)
        if not isinstance(decoder, CaptionDecoder):
            raise TypeError("it does not hold a caption decoder")
    return decoder


def _load_familiarity(
    path: Path, decoder: CaptionDecoder, checksum: str | None
) -> Familiarity | None:
    """Load what tells which pictures are unfamiliar, if the model has it."""
    if checksum is None:
        return None
    with opening(path):
        if sha256(path) != checksum:
            raise ValueError(f"its checksum is not that in {SOURCE_FILE}")
    return load_familiarity(path, decoder.feature_shape[-1])
