"""Attention maps as images: one map for each word, the same bytes every time."""

from __future__ import annotations

import time

import numpy as np
import pytest
from matplotlib import rc_context
from PIL import Image

from captioning.evaluation.plots import _legend, plot_attention
from captioning.evaluation.spotlight import spotlight

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


def test_colors_stay_where_the_model_looks_and_pale_elsewhere():
    image = Image.new("RGB", (70, 70), (200, 30, 30))
    attention = np.zeros((7, 7), np.float32)
    attention[1, 1] = 0.9
    seen, relative = spotlight(image, attention)
    assert seen.shape == (70, 70, 3) and relative.shape == (70, 70)
    np.testing.assert_allclose(seen[15, 15] * 255, (200, 30, 30), atol=0.5)
    assert relative[15, 15] == pytest.approx(1, abs=0.02) and relative[60, 60] == 0
    far = seen[60, 60] * 255
    assert far.min() > 150 and far.max() - far.min() < 40, "pale, almost gray"


def test_attention_of_nothing_leaves_the_image_pale():
    seen, relative = spotlight(IMAGE, np.zeros((7, 7), np.float32))
    assert (relative == 0).all() and np.isfinite(seen).all() and seen.min() > 0.5


@pytest.mark.parametrize("size", [(500, 333), (333, 500), (300, 300), (800, 250), (1, 1)])
def test_pictures_of_any_shape_keep_their_proportions_and_use_the_page(tmp_path, size):
    """Without attention, only the first panel is red."""
    path = tmp_path / "x.png"
    nowhere = np.zeros((8, 7, 7), np.float32)
    plot_attention(path, Image.new("RGB", size, "red"), "a b c d e f g h", nowhere)
    pixels = np.asarray(Image.open(path).convert("RGB"))
    red = (pixels == (255, 0, 0)).all(axis=2)
    height, width = (int(red.any(axis=axis).sum()) for axis in (1, 0))
    assert red.sum() == height * width, "one rectangle"
    assert width / height == pytest.approx(size[0] / size[1], rel=0.03)
    used = (pixels != 255).any(axis=2)[60:-60].any(axis=0)
    assert used.mean() > 0.7, "columns of the page without anything"


def test_the_legend_explains_the_number_beside_each_word():
    assert _legend(maps(3)) == (
        "Beside each word: share of its attention on the strongest of the 7 × 7 cells (if spread "
        "evenly: 2%). Outlined: at least half as strong. Pale: little or no attention."
    )


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1), (6000, 4000)])
def test_pictures_of_extreme_sizes_are_drawn_quickly(tmp_path, size):
    start = time.monotonic()
    plot_attention(tmp_path / "x.png", Image.new("RGB", size, "red"), "a b", maps(2))
    assert time.monotonic() - start < 10
    assert Image.open(tmp_path / "x.png").height < 800
