"""Which differences between captions are none: case, punctuation, spellings of one character."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from captioning.core.errors import InputError
from captioning.params.choices import Normalization, Punctuation
from captioning.params.schema import Section, problem_text


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
    def parse(cls, content: bytes, name: str) -> Standardization:
        """Make one of a JSON file's content; `name` is what errors call the file.

        Raises:
            InputError: the file is not JSON; or a key is missing, unknown or of an impossible
                value. Every problem is listed.
        """
        try:
            settings = _Settings.model_validate_json(content)
        except ValidationError as error:
            problems = map(problem_text, error.errors(include_url=False))
            raise InputError(f"{name}: {'; '.join(problems)}: run `dvc checkout`") from None
        return cls(**settings.model_dump())


class _Settings(Section):
    """The content of `standardization.json`."""

    normalization: Normalization
    lowercase: bool
    punctuation: Punctuation


# In ASCII, punctuation and symbols are the 32 characters of `string.punctuation`: ASCII captions
# come out as in the TensorFlow tutorial "Image captioning with visual attention".
standardize = Standardization()
