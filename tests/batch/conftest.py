"""A small model and pictures for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from untrained_captioner import WORDS, write_model

from captioning.captioner import Captioner
from captioning.text import WordVocabulary


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vocabulary = WordVocabulary.fit(WORDS, 100, 1)
    return write_model(tmp_path_factory.mktemp("model"), vocabulary, WORDS)


@pytest.fixture(scope="session")
def captioner(model: Path) -> Captioner:
    return Captioner.load(model)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 12 different pictures, and one that is none in the middle."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(12):
        write_picture(folder / f"{number:02d}.png", number)
    (folder / "05-empty.jpg").write_bytes(b"")
    return folder


def write_picture(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((80, 60)).save(path)
