"""What tests of the server share: a small model that is warm, and what opens the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import browser  # noqa: F401
from page_server import page_server  # noqa: F401
from served_page import open_page  # noqa: F401
from untrained_captioner import WORDS, write_model

from captioning.serving.model import ServedModel
from captioning.text import WordVocabulary


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small model that is not trained."""
    vocabulary = WordVocabulary.fit(WORDS, 100, 1)
    return write_model(tmp_path_factory.mktemp("served") / "model", vocabulary, WORDS)


@pytest.fixture(scope="session")
def model(model_folder: Path) -> ServedModel:
    """The model, with the graphs of its default settings compiled."""
    served = ServedModel(model_folder)
    served.warm_up()
    return served
