"""Save and load the files in `data/model`: decoder, vocabulary, and the origin of the features.

This needs no backbone, because training and evaluation read features instead of images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras

from captioning.core.errors import InputError
from captioning.core.files import read_json, write_json
from captioning.model.archive import save_model
from captioning.model.decoder import CaptionDecoder
from captioning.text import Vocabulary, load_vocabulary

DECODER_FILE, VOCABULARY_FILE, SOURCE_FILE = "decoder.keras", "vocabulary.txt", "captioner.json"


class Bundle(NamedTuple):
    """A trained decoder with its vocabulary and the origin of its features.

    Attributes:
        decoder: trained Keras model.
        vocabulary: vocabulary that defines the decoder's token ids.
        source: how the training features were made: `extractor`, `image_size`, `weights_sha256`.
    """

    decoder: CaptionDecoder
    vocabulary: Vocabulary
    source: dict[str, Any]


def save_bundle(folder: Path | str, bundle: Bundle) -> None:
    """Write a bundle to `folder`. The same bundle always gives the same bytes."""
    folder = Path(folder)
    save_model(bundle.decoder, folder / DECODER_FILE)
    bundle.vocabulary.save(folder)
    checksum = {"vocabulary_sha256": bundle.vocabulary.sha256}
    write_json(folder / SOURCE_FILE, {**bundle.source, **checksum})


def load_bundle(folder: Path | str) -> Bundle:
    """Read a folder that `save_bundle` wrote.

    Raises:
        InputError: a file is missing, or the vocabulary does not belong to the decoder.
    """
    folder = Path(folder)
    for name in (DECODER_FILE, VOCABULARY_FILE, SOURCE_FILE):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is missing: run `dvc repro train` or `dvc pull`")
    source = read_json(folder / SOURCE_FILE)
    vocabulary = load_vocabulary(folder)
    if vocabulary.sha256 != source.pop("vocabulary_sha256"):
        raise InputError(
            f"{folder}: {DECODER_FILE} was trained with another vocabulary than that in "
            f"{' and '.join(vocabulary.files)}: run `dvc repro train` or `dvc checkout`"
        )
    decoder = keras.saving.load_model(folder / DECODER_FILE, compile=False)
    return Bundle(decoder, vocabulary, source)
