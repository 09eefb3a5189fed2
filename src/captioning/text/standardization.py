"""Standardization of captions: normal form, lower case, punctuation, invisible characters."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from captioning.core.opening import DamagedError
from captioning.params.choices import Normalization, Punctuation
from captioning.params.schema import Section, problem_text
from captioning.text.ignorable import without_ignorable


class _PunctuationTable(dict[int, "int | None"]):
    """A table for `str.translate` that deletes punctuation and symbols; filled on demand."""

    def __missing__(self, code: int) -> int | None:
        replacement = None if unicodedata.category(chr(code))[0] in "PS" else code
        self[code] = replacement
        return replacement


_PUNCTUATION = _PunctuationTable()


@dataclass(frozen=True)
class Standardization:
    """How captions are standardized before they are split into tokens.

    In any case, a run of whitespace becomes one space, and invisible characters go, see
    `ignorable`. Standardizing a caption again changes
    nothing.

    >>> Standardization()("A  dog's t-shirt, [very] RED!")
    'a dogs tshirt very red'

    Attributes:
        normalization: Unicode normalization form (Unicode Standard Annex 15). `nfc` unifies the
            encodings of accented letters and Hangul syllables; `nfkc` also unifies full-width and
            half-width forms, ligatures and circled numbers.
        lowercase: whether captions are lowercased.
        punctuation: `delete` deletes characters of the Unicode categories P* (punctuation) and S*
            (symbols: currency, mathematics, emoji). Letters, marks and digits of every script are
            kept. `keep` leaves punctuation as part of the words that it touches.
    """

    normalization: Normalization = "nfc"
    lowercase: bool = True
    punctuation: Punctuation = "delete"

    def __call__(self, caption: str) -> str:
        """Standardize a caption."""
        form: Literal["NFC", "NFKC"] = "NFC" if self.normalization == "nfc" else "NFKC"
        if form == "NFKC":
            # Some letters can be lowercased only afterwards: U+210C, a Gothic H, becomes "H".
            caption = unicodedata.normalize(form, caption)
        text = unicodedata.normalize(form, caption.lower() if self.lowercase else caption)
        if self.punctuation == "delete":
            text = text.translate(_PUNCTUATION)
        # This normalizes again: a letter and a combining mark may have become adjacent.
        return " ".join(without_ignorable(text, form).split())

    @classmethod
    def parse(cls, content: bytes, name: str) -> Standardization:
        """Parse the content of `standardization.json`.

        Args:
            content: content of the file.
            name: name of the file in error messages.

        Raises:
            DamagedError: the content is not JSON, or a key is missing, unknown or has an invalid
                value; the message lists all problems.
        """
        try:
            settings = _Settings.model_validate_json(content)
        except ValidationError as error:
            problems = map(problem_text, error.errors(include_url=False))
            raise DamagedError(name, "; ".join(problems)) from None
        return cls(**settings.model_dump())


class _Settings(Section):
    """The content of `standardization.json`."""

    normalization: Normalization
    lowercase: bool
    punctuation: Punctuation


#: The default. For ASCII captions, it is the same as in the TensorFlow tutorial "Image captioning
#: with visual attention": ASCII punctuation and symbols are those of `string.punctuation`.
standardize = Standardization()
