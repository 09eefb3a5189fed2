"""Which differences between captions are none: case, punctuation, spellings of one character."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from captioning.errors import InputError

Normalization = Literal["nfc", "nfkc"]
Punctuation = Literal["delete", "keep"]


class _PunctuationTable(dict[int, "int | None"]):
    """A `str.translate` table, filled as characters are met: None for punctuation and symbols."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code))[0] in "PS" else code
        self[code] = kept
        return kept


_PUNCTUATION = _PunctuationTable()


@dataclass(frozen=True)
class Standardization:
    """What becomes of a caption before it is cut into tokens; whitespace collapses in any case.

    Applied twice, it changes nothing more.

    >>> Standardization()("A  dog's t-shirt, [very] RED!")
    'a dogs tshirt very red'

    Attributes:
        normalization: Unicode's normal form. `nfc`: one spelling of an accented letter or a Hangul
            syllable. `nfkc`: also one of full-width and half-width forms, ligatures, circled
            numbers (Unicode Standard Annex 15).
        lowercase: whether upper case becomes lower case.
        punctuation: `delete` removes the Unicode categories P* (punctuation) and S* (symbols:
            currency, mathematics, emoji); letters, marks and digits of every script stay. `keep`
            leaves them where they stand: as part of the word that they touch.
    """

    normalization: Normalization = "nfc"
    lowercase: bool = True
    punctuation: Punctuation = "delete"

    def __call__(self, caption: str) -> str:
        """Standardise a caption."""
        form: Literal["NFC", "NFKC"] = "NFC" if self.normalization == "nfc" else "NFKC"
        if form == "NFKC":
            # Some letters have no lower case before: U+210C, a Gothic H, becomes a plain one.
            caption = unicodedata.normalize(form, caption)
        text = unicodedata.normalize(form, caption.lower() if self.lowercase else caption)
        if self.punctuation == "delete":
            # Once more: deleting may bring a letter and a combining mark together.
            text = unicodedata.normalize(form, text.translate(_PUNCTUATION))
        return " ".join(text.split())

    @classmethod
    def parse(cls, values: Any, name: str) -> Standardization:
        """Make one of what a JSON file holds; `name` is what to call the file in errors.

        Raises:
            InputError: a key is missing, unknown or of an impossible value.
        """
        possible: Mapping[str, tuple[object, ...]] = {
            "normalization": get_args(Normalization),
            "lowercase": (False, True),
            "punctuation": get_args(Punctuation),
        }
        if not isinstance(values, dict) or set(values) != set(possible):
            raise InputError(f"{name} must hold {', '.join(possible)}")
        for key, value in values.items():
            # In Python, 1 is True.
            if value not in possible[key] or isinstance(value, bool) != (key == "lowercase"):
                raise InputError(f"{name}: {key} can't be {value!r}")
        return cls(**values)


# In ASCII, punctuation and symbols are the 32 characters of `string.punctuation`: ASCII captions
# come out as in the TensorFlow tutorial "Image captioning with visual attention".
standardize = Standardization()
