"""`captioning serve` with a small model, for tests of its page."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from imports import ROOT
from raw_table import write_scenes
from untrained_captioner import WORDS, write_model

from captioning.captioner import Captioner
from captioning.text import BANNED, END, WordVocabulary, output_bias

# Untrained attention is nearly equal everywhere, and so are the probabilities of words. With such
# weights the model points at single places, and finds some captions probable.
SHARPENING = 30
SHARPENING_OF_WORDS = 3
START_SECONDS = 300


def write_pointing_model(folder: Path) -> Path:
    """A model that says several words and points at single places; returns its folder."""
    vocabulary = WordVocabulary.fit(WORDS, 100, 1)
    captioner = Captioner.load(write_model(folder, vocabulary, WORDS))
    bias = SHARPENING_OF_WORDS * output_bias(vocabulary.count(WORDS))
    bias[END] = bias[BANNED[0]]
    captioner.decoder.set_output_bias(bias)
    for weights in captioner.decoder.trainable_variables:
        if "cross" in weights.path and "query" in weights.path:
            weights.assign(weights * SHARPENING)
    captioner.save(folder)
    return folder


@pytest.fixture(scope="session")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server, which ends with a slash."""
    folder = tmp_path_factory.mktemp("served")
    model = write_pointing_model(folder / "model")
    write_scenes(folder / "raw", 1, 96, train_images=1, validation_images=1, test_images=3)
    log = folder / "log.txt"
    command = [sys.executable, "-m", "captioning", "serve", "--model", str(model), "--port", "0"]
    with log.open("w") as errors:
        server = subprocess.Popen(command, stderr=errors, cwd=ROOT)
    try:
        yield wait_until_ready(server, log)
    finally:
        server.terminate()
        server.wait()


def wait_until_ready(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server captions at full speed; returns its address."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        time.sleep(0.1)
        address = re.search(r"listening on (\S+)\n", log.read_text(encoding="utf-8"))
        if address and is_ready(address[1]):
            return f"{address[1]}/"
    raise AssertionError(f"the server does not start:\n{log.read_text(encoding='utf-8')}")


def is_ready(address: str) -> bool:
    """Whether the server's model is prepared."""
    try:
        urllib.request.urlopen(f"{address}/readyz").close()
    except urllib.error.URLError:
        return False
    return True
