"""A small captioner that is not trained, for tests of what surrounds it."""

from __future__ import annotations

from pathlib import Path

import keras

from captioning.captioner import Captioner
from captioning.extractors import make_extractor
from captioning.model import CaptionDecoder
from captioning.text import Vocabulary, output_bias

WORDS = ["a red dog runs", "a blue cat sleeps", "two dogs run"]
SIZE = 64


def write_model(
    folder: Path, vocabulary: Vocabulary, captions: list[str], max_length: int = 8
) -> Path:
    """A model that says its tokens about as often as the captions do; return its folder."""
    keras.utils.set_random_seed(4)
    extractor = make_extractor("efficientnet_lite0", SIZE)
    decoder = CaptionDecoder(
        len(vocabulary), extractor.output_shape, units=16, heads=2, max_length=max_length
    )
    decoder.set_output_bias(output_bias(vocabulary.count(captions)))
    source = {
        "extractor": extractor.name,
        "image_size": SIZE,
        "weights_sha256": extractor.weights_sha256,
    }
    Captioner(decoder, vocabulary, source).save(folder)
    return folder
