"""The words that captions and references are compared by.

Lower case without punctuation, as in COCO-caption, whatever the vocabulary keeps: figures of models
with other vocabularies stay comparable. What counts as a word depends on the language.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from pydantic.dataclasses import dataclass
from sacrebleu.metrics.bleu import BLEU

from captioning.core.errors import InputError
from captioning.params.choices import Normalization, Tokenizer
from captioning.text import Standardization


@dataclass(frozen=True)
class ScoredText:
    """Makes of a text its words, with single spaces between.

    Attributes:
        tokenizer: sacrebleu's name of what cuts standardised text into words: `none` takes what
            stands between spaces, `char` every character, `zh` every Chinese character, `ja-mecab`
            and `ko-mecab` the morphemes that MeCab finds. Those for European languages (`13a`,
            `intl`) only separate punctuation, which is gone here.
        normalization: Unicode's normal form, that of the vocabulary.
    """

    tokenizer: Tokenizer = "none"
    normalization: Normalization = "nfc"

    def __call__(self, text: str) -> str:
        """Standardise and cut.

        Raises:
            InputError: as `check`.
        """
        standardized = self.standardization(text)
        if self.tokenizer == "none":
            return standardized
        return " ".join(self._cut(standardized).split())

    def __str__(self) -> str:
        return f"tokenizer {self.tokenizer}, {self.normalization}"

    def check(self) -> ScoredText:
        """Itself, where the tokenizer can be used.

        Raises:
            InputError: it needs packages that aren't installed; says which.
        """
        _ = self._cut
        return self

    @cached_property
    def standardization(self) -> Standardization:
        """What goes before the tokenizer."""
        return Standardization(self.normalization)

    @property
    def description(self) -> str:
        """How the text is standardised, for a signature."""
        form = "" if self.normalization == "nfc" else f"{self.normalization.upper()} "
        return f"text {form}lower case without punctuation"

    @cached_property
    def tokenizer_signature(self) -> str:
        """sacrebleu's name and version of the tokenizer."""
        return str(self._bleu.get_signature().info["tok"])

    @cached_property
    def _cut(self) -> Callable[[str], str]:
        cut: Callable[[str], str] = self._bleu.tokenizer
        return cut

    @cached_property
    def _bleu(self) -> BLEU:
        try:
            bleu = BLEU(tokenize=self.tokenizer)
        except RuntimeError:
            raise InputError(
                f"evaluate.tokenizer {self.tokenizer} needs packages that are not installed: run "
                f"`pip install -e '.[{self.tokenizer[:2]}]'`, or choose another"
            ) from None
        bleu.corpus_score(["a"], [["a"]])  # sacrebleu signs only what has scored.
        return bleu
