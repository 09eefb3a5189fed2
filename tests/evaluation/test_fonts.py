"""Characters that Matplotlib's font lacks: another font, or one notice."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager
from PIL import Image

from captioning.evaluation import fonts
from captioning.evaluation.fonts import font_families
from captioning.evaluation.plots import plot_attention

IMAGE = Image.new("RGB", (64, 48), "red")
MAPS = np.full((2, 7, 7), 1 / 49, np.float32)


def make_font(path: Path, family: str, characters: str) -> str:
    """A TrueType font in which every one of `characters` is a solid block."""
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 900), (900, 900), (900, 0)):
        (pen.moveTo if point == (0, 0) else pen.lineTo)(point)
    pen.closePath()
    block, empty = pen.glyph(), TTGlyphPen(None).glyph()
    names = [f"u{ord(character):04X}" for character in characters]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(c): name for c, name in zip(characters, names, strict=True)})
    builder.setupGlyf({".notdef": empty, **dict.fromkeys(names, block)})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", *names), (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=900, usWinAscent=900, usWinDescent=100)
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Only Matplotlib's own fonts and two made here."""
    paths = (
        make_font(tmp_path / "a.ttf", "Test Hangul", "빨간별"),
        make_font(tmp_path / "b.ttf", "Test Kana", "별いぬ"),
    )
    monkeypatch.setattr(fontManager, "ttflist", list(fontManager.ttflist))
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: list(paths))
    monkeypatch.setattr(fonts, "_told", set())
    forget()
    yield paths
    forget()


def forget() -> None:
    for cached in (fonts._others, fonts._installed, fonts._characters):
        cached.cache_clear()


def test_what_the_default_font_has_needs_no_other(installed):
    assert font_families("A dog – größer, собака ▁") == ["sans-serif"]


def test_fonts_are_chosen_by_how_much_of_the_text_they_have(installed, capsys):
    assert font_families("a 빨간 별") == ["sans-serif", "Test Hangul"]
    assert font_families("いぬ") == ["sans-serif", "Test Kana"]
    assert font_families("빨간 별 い") == ["sans-serif", "Test Hangul", "Test Kana"]
    assert capsys.readouterr().err == ""


def test_what_no_font_has_is_told_once(installed, capsys):
    assert font_families("빨간 犬") == ["sans-serif", "Test Hangul"]
    assert font_families("猫") == ["sans-serif"]
    error = capsys.readouterr().err
    assert error.startswith("note: no installed font has 犬: pictures show boxes")
    assert error.count("\n") == 1


def pixels(path: Path, caption: str, pieces: list[str]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_attention(path, IMAGE, caption, MAPS, [caption], pieces)
    return np.asarray(Image.open(path).convert("L"), float)


def test_captions_are_drawn_with_the_font_found(installed, tmp_path, monkeypatch):
    found = pixels(tmp_path / "found.png", "빨간 별", ["▁빨간", "▁별"])
    again = pixels(tmp_path / "again.png", "빨간 별", ["▁빨간", "▁별"])
    assert (found == again).all()
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    others = [entry for entry in fontManager.ttflist if entry.fname not in installed]
    monkeypatch.setattr(fontManager, "ttflist", others)
    forget()
    boxes = pixels(tmp_path / "boxes.png", "빨간 별", ["▁빨간", "▁별"])
    # Solid blocks instead of boxes: more ink in the title.
    assert (found[:40] < 100).sum() > 1.3 * (boxes[:40] < 100).sum() > 0


def test_long_lines_of_wide_characters_are_broken_earlier(tmp_path):
    from captioning.evaluation.plots import _wrapped

    assert max(map(len, _wrapped("犬が走る" * 40).split("\n"))) == 50
    assert max(map(len, _wrapped("a dog " * 40).split("\n"))) > 90
