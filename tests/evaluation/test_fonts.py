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
from captioning.evaluation.fonts import font_families, notice_of_missing_glyphs
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
    """Matplotlib's own fonts, and two made here that Matplotlib has not listed."""
    paths = [
        make_font(tmp_path / "a.ttf", "NanumGothic", "빨간별"),
        make_font(tmp_path / "b.ttf", "IPAGothic", "별いぬ"),
    ]
    broken = tmp_path / "c.ttf"
    broken.write_bytes(b"not a font")
    own = [entry for entry in fontManager.ttflist if "mpl-data" in entry.fname]
    assert own
    monkeypatch.setattr(fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [*paths, str(broken)])
    monkeypatch.setattr(fonts, "_notices", [])
    font_families.cache_clear()
    yield paths
    font_families.cache_clear()


def draw(path: Path, caption: str) -> np.ndarray:
    """The gray levels of a drawn caption of two words; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_attention(path, IMAGE, caption, MAPS, [caption], caption.split())
    return np.asarray(Image.open(path).convert("L"), float)


def test_known_fonts_are_found_although_matplotlib_has_not_listed_them(installed):
    assert font_families() == ["sans-serif", "IPAGothic", "NanumGothic"]


def test_without_other_fonts_the_default_is_used(installed, monkeypatch):
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    assert font_families() == ["sans-serif"]


def test_characters_of_the_default_font_look_the_same_whatever_is_installed(
    installed, tmp_path, monkeypatch, capsys
):
    draw(tmp_path / "installed.png", "größer, собака▁")
    monkeypatch.setattr("captioning.evaluation.plots.font_families", lambda: ["sans-serif"])
    draw(tmp_path / "default.png", "größer, собака▁")
    assert (tmp_path / "installed.png").read_bytes() == (tmp_path / "default.png").read_bytes()
    assert capsys.readouterr().err == ""


def test_each_character_is_drawn_with_a_font_that_has_it(installed, tmp_path, monkeypatch, capsys):
    # One font has "빨간", the other "いぬ", both "별".
    found = draw(tmp_path / "found.png", "빨간별 いぬ")
    assert (found == draw(tmp_path / "again.png", "빨간별 いぬ")).all()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    monkeypatch.setattr(
        fontManager, "ttflist", [f for f in fontManager.ttflist if f.fname not in installed]
    )
    font_families.cache_clear()
    boxes = draw(tmp_path / "boxes.png", "빨간별 いぬ")
    # Solid blocks instead of boxes: more ink in the title.
    assert (found[:40] < 100).sum() > 1.3 * (boxes[:40] < 100).sum() > 0
    assert "note: no known font has い ぬ 간 별 빨: images show boxes" in capsys.readouterr().err


def test_missing_characters_are_reported_once(installed, tmp_path, capsys):
    draw(tmp_path / "one.png", "빨간 犬猫")
    draw(tmp_path / "two.png", "빨간 狼")
    error = capsys.readouterr().err
    assert error.startswith("note: no known font has 犬 猫: images show boxes instead;")
    assert error.count("\n") == 1


def test_other_warnings_of_matplotlib_are_not_swallowed(installed, capsys):
    with pytest.warns(DeprecationWarning, match="something else"), notice_of_missing_glyphs():
        warnings.warn("something else", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == ""


def test_long_lines_of_wide_characters_are_broken_earlier(tmp_path):
    from captioning.evaluation.plots import _wrapped

    assert max(map(len, _wrapped("犬が走る" * 40).split("\n"))) == 50
    assert max(map(len, _wrapped("a dog " * 40).split("\n"))) > 90
