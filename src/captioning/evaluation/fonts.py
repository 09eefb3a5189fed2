"""Fonts for captions in any script: Matplotlib's own has Latin, Greek, Cyrillic and little else."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font

_DEFAULT = "sans-serif"
# In the file names of fonts that draw every character as a box.
_BOXES = "LastResort"
# Characters named in the notice.
_NAMED = 5


def font_families(text: str) -> list[str]:
    """The font families that draw `text`: Matplotlib's default and, for what it lacks, others.

    The others are installed ones, those first that have most of the missing characters. Where none
    has one, a notice says so once, and it is drawn as a box.
    """
    missing = frozenset(ord(c) for c in text if c.isprintable()) - _characters(_default_path())
    return [_DEFAULT, *(_others(missing) if missing else ())]


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """In the block, Matplotlib doesn't warn of every character that is drawn as a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


@lru_cache(maxsize=256)
def _others(missing: frozenset[int]) -> tuple[str, ...]:
    """Families that have the missing characters, as far as there are any."""
    found: list[str] = []
    while missing:
        path = max(_installed(), key=lambda path: len(missing & _characters(path)), default="")
        if not path or not missing & _characters(path):
            _tell(missing)
            break
        missing -= _characters(path)
        # A font installed after Matplotlib made its list isn't on it.
        fontManager.addfont(path)
        found.append(FontProperties(fname=path).get_name())
    return tuple(found)


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """Files of the fonts installed and of those that Matplotlib was told of, in one order."""
    paths = {*findSystemFonts(), *(str(entry.fname) for entry in fontManager.ttflist)}
    return tuple(sorted(path for path in paths if _BOXES not in path))


def _default_path() -> str:
    return str(findfont(FontProperties(family=[_DEFAULT])))


@lru_cache(maxsize=64)
def _characters(path: str) -> frozenset[int]:
    """Code points that a font draws; none where it can't be read or is made of pictures."""
    try:
        font = FT2Font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


_told: set[int] = set()


def _tell(missing: frozenset[int]) -> None:
    """Say once which characters no font has."""
    if _told:
        return
    _told.update(missing)
    named = " ".join(map(chr, sorted(missing)[:_NAMED]))
    print(
        f"note: no installed font has {named}{' …' if len(missing) > _NAMED else ''}: pictures "
        "show boxes there; install one that has, such as Noto Sans CJK (Debian: fonts-noto-cjk)",
        file=sys.stderr,
    )
