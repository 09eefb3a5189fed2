"""What `data/model` holds: the decoder, its vocabulary, and which features it was trained on.

Saving and loading need no backbone: training and evaluation read features, not pictures.
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
    """A trained decoder with everything that is needed to use it.

    Attributes:
        decoder: trained Keras model.
        vocabulary: vocabulary whose ids the decoder uses.
        source: how the training features were made: `extractor`, `image_size`, `weights_sha256`.
    """

    decoder: CaptionDecoder
    vocabulary: Vocabulary
    source: dict[str, Any]


def save_bundle(folder: Path | str, bundle: Bundle) -> None:
    """Write a bundle into `folder`; the same bundle always gives the same bytes."""
    folder = Path(folder)
    save_model(bundle.decoder, folder / DECODER_FILE)
    bundle.vocabulary.save(folder)
    checksum = {"vocabulary_sha256": bundle.vocabulary.sha256}
    write_json(folder / SOURCE_FILE, {**bundle.source, **checksum})


def load_bundle(folder: Path | str) -> Bundle:
    """Read what `save_bundle` wrote.

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
            f"{folder}: {' and '.join(vocabulary.files)} do not belong to {DECODER_FILE}, so token "
            "ids would be decoded to wrong words: run `dvc repro train` or `dvc checkout`"
        )
    decoder = keras.saving.load_model(folder / DECODER_FILE, compile=False)
    return Bundle(decoder, vocabulary, source)
