"""Font families for captions in any script, among which Matplotlib chooses for each character.

Matplotlib's own font has Latin, Greek, Cyrillic and little else.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

from matplotlib.font_manager import findSystemFonts, fontManager

_DEFAULT = "sans-serif"
_NOTO_SCRIPTS = (
    *("CJK JP", "CJK KR", "CJK SC", "CJK TC", "JP", "KR", "SC", "TC", "Arabic", "Hebrew"),
    *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada"),
    *("Malayalam", "Sinhala", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Ethiopic"),
    *("Armenian", "Georgian", "Mongolian", "Symbols", "Symbols2", "Math"),
)
# Widespread fonts of Linux distributions, macOS and Windows; fonts of last resort at the end.
_FALLBACKS = (
    *(f"Noto Sans {script}" for script in _NOTO_SCRIPTS),
    *("IPAGothic", "IPAexGothic", "TakaoGothic", "VL Gothic", "NanumGothic", "UnDotum"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback"),
    *("Hiragino Sans", "Apple SD Gothic Neo", "PingFang SC", "PingFang TC", "Heiti SC"),
    *("Yu Gothic", "MS Gothic", "Malgun Gothic", "Microsoft YaHei", "Microsoft JhengHei"),
    *("Nirmala UI", "Leelawadee UI", "Ebrima", "Segoe UI Symbol"),
    *("Arial Unicode MS", "FreeSans", "Unifont"),
)
# Number of characters that the notice names.
_NAMED = 5


@lru_cache(maxsize=1)
def font_families() -> list[str]:
    """Matplotlib's default family, then those of a list of widespread fonts that are installed.

    Given such a list, Matplotlib draws every character with the first font that has it.
    """
    # Matplotlib caches a list of fonts on disk, which lacks fonts that were installed later.
    listed = {str(entry.fname) for entry in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - listed):
        with suppress(OSError, RuntimeError):  # Not a font that Matplotlib can draw.
            fontManager.addfont(path)
    installed = {entry.name for entry in fontManager.ttflist}
    return [_DEFAULT, *(family for family in _FALLBACKS if family in installed)]


@contextmanager
def notice_of_missing_glyphs() -> Iterator[None]:
    """Replace Matplotlib's warnings of characters that no font has by one notice a process."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    missing = set()
    for warning in caught:
        if found := re.match(r"Glyph (\d+) .* missing from", str(warning.message)):
            missing.add(chr(int(found[1])))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if missing:
        _print_once(
            f"note: no known font has {' '.join(sorted(missing)[:_NAMED])}"
            f"{' …' if len(missing) > _NAMED else ''}: images show boxes instead; install a font "
            "such as Noto Sans CJK (Debian: fonts-noto-cjk)"
        )


_notices: list[str] = []


def _print_once(notice: str) -> None:
    if not _notices:
        _notices.append(notice)
        print(notice, file=sys.stderr)
