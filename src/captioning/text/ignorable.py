"""Removes characters that nobody sees: the default ignorable code points of Unicode.

Examples are the byte order mark, the zero-width space, the soft hyphen, marks of direction and
variation selectors. A word with such a character looks like the word without it. Those that change
what is seen are kept:

- U+200C, the zero-width non-joiner, between letters that would otherwise join, as in Persian;
- U+200D, the zero-width joiner, where it gives a letter the shape that it has beside another one;
- both beside a virama, as in Indic scripts, where they choose between conjuncts and half forms;
- U+200D between two pictographs, and the tags in the flags of England, Scotland and Wales.

Unicode Standard Annex 31 (section 2.3) recommends nearly the same for identifiers; it lacks the
joiner before a virama, which Bengali needs, and that of single shapes.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

import regex

_VIRAMA = r"\p{Canonical_Combining_Class=Virama}"
# Whether the letter before, or after, joins to what is between; marks in between do not count.
_BEFORE = r"[\p{Joining_Type=D}\p{Joining_Type=L}]\p{Mn}*"
_AFTER = r"\p{Mn}*[\p{Joining_Type=D}\p{Joining_Type=R}]"
_PICTOGRAPH = r"[\p{Extended_Pictographic}\p{Emoji_Modifier}]"

_FLAG = r"(?<=\U0001f3f4)[\U000e0020-\U000e007e]+\U000e007f"
_INVISIBLE = regex.compile(
    rf"({_FLAG})|[\p{{Default_Ignorable_Code_Point}}--\p{{Join_Control}}]", regex.V1
)
_JOINERS = regex.compile(
    rf"""
    (
      (?<={_VIRAMA}) \p{{Join_Control}}
    | \p{{Join_Control}} (?={_VIRAMA})
    | (?<={_BEFORE}) \u200c (?={_AFTER})
    | (?<={_BEFORE}) \u200d (?!{_AFTER})
    | (?<!{_BEFORE}) \u200d (?={_AFTER})
    | (?<={_PICTOGRAPH}) \u200d (?={_PICTOGRAPH})
    )
    | \p{{Join_Control}}
    """,
    regex.VERBOSE,
)
_REPEATED = regex.compile(r"(\p{Join_Control})\p{Join_Control}+")


def without_ignorable(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """The text in a normal form, without those default ignorable characters that change nothing.

    Of several joiners in a row, only the first counts.

    >>> without_ignorable("soft\\u00adware", "NFC"), without_ignorable("می\\u200cخواهم", "NFC")
    ('software', 'می\\u200cخواهم')
    """
    if text.isascii():
        return text
    text = unicodedata.normalize(form, _INVISIBLE.sub(r"\1", text))
    # Marks may be reordered when a joiner goes, so that another one has other neighbors.
    while (changed := _without_joiners(text, form)) != text:
        text = changed
    return text


def _without_joiners(text: str, form: Literal["NFC", "NFKC"]) -> str:
    if "\u200c" not in text and "\u200d" not in text:
        return text
    return unicodedata.normalize(form, _JOINERS.sub(r"\1", _REPEATED.sub(r"\1", text)))
