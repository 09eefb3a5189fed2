"""Attention maps as images: one map for each word, the same bytes every time."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import rc_context
from PIL import Image

from captioning.evaluation.plots import plot_attention

IMAGE = Image.new("RGB", (64, 48), "red")


def maps(words: int) -> np.ndarray:
    values = np.random.default_rng(0).random((words, 7, 7)).astype("float32")
    return values / values.sum(axis=(1, 2), keepdims=True)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("one.png", "two.png"):
        plot_attention(tmp_path / name, IMAGE, "a red star", maps(3), ["a star"])
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_longer_captions_take_more_rows(tmp_path):
    for words in (3, 30):
        plot_attention(tmp_path / f"{words}.png", IMAGE, " ".join(["word"] * words), maps(words))
    heights = [Image.open(tmp_path / f"{words}.png").height for words in (3, 30)]
    assert heights[1] > 3 * heights[0]


def test_an_empty_caption_still_shows_the_image(tmp_path):
    plot_attention(tmp_path / "empty.png", IMAGE, "", maps(0))
    pixels = np.asarray(Image.open(tmp_path / "empty.png").convert("RGB")).reshape(-1, 3)
    assert (pixels == (255, 0, 0)).all(axis=1).any()


def test_words_and_maps_must_agree(tmp_path):
    with pytest.raises(ValueError, match="2 words but 3 attention maps"):
        plot_attention(tmp_path / "x.png", IMAGE, "two words", maps(3))


def test_dollar_signs_are_drawn_as_they_are(tmp_path):
    caption, references = "it costs $5$", [r"from $5 to $10, or \frac{$1}"]
    plot_attention(tmp_path / "found.png", IMAGE, caption, maps(3), references)
    with rc_context({"text.parse_math": False}):
        plot_attention(tmp_path / "plain.png", IMAGE, caption, maps(3), references)
    assert (tmp_path / "found.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    other = [references[0].replace("$", "")]
    plot_attention(tmp_path / "other.png", IMAGE, caption, maps(3), other)
    assert (tmp_path / "found.png").read_bytes() != (tmp_path / "other.png").read_bytes()
