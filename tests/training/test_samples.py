"""Sample captions that are printed while training say what they are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from captioning.model import CaptionDecoder
from captioning.text import WordVocabulary
from captioning.training.samples import SampleCaptions

WORDS = ["a red star", "two blue rings"]
MAP = (2, 2, 4)


@pytest.mark.slow
def test_each_report_says_the_temperatures_and_shows_empty_captions(tmp_path, capsys):
    vocabulary = WordVocabulary.fit(WORDS, 100, 1)
    decoder = CaptionDecoder(len(vocabulary), MAP, units=16, heads=2, max_length=8)
    # Only [END] has a chance: every caption is empty.
    bias = np.full(len(vocabulary), -1e9, np.float32)
    bias[3] = 0
    decoder.set_output_bias(bias)
    examples = (["one.jpg", "two.jpg"], np.zeros((2, *MAP), np.float32), [["a"], ["b"]])
    samples = SampleCaptions(decoder, tmp_path / "samples.jsonl", examples, vocabulary, seed=1)
    samples.on_epoch_end(0)
    assert capsys.readouterr().out.splitlines() == [
        "  sample captions of validation images at temperature 0 | 0.5 | 1:",
        "  one.jpg: (empty) | (empty) | (empty)",
        "  two.jpg: (empty) | (empty) | (empty)",
    ]
    rows = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert [row["captions"] for row in rows] == [{"0": "", "0.5": "", "1": ""}] * 2
