"""The words by which captions and references are compared.

All captions are prepared alike, whatever the vocabulary keeps, so that the metrics of models with
different vocabularies are comparable. What counts as a word depends on the language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from pydantic.dataclasses import dataclass
from sacrebleu.metrics.bleu import BLEU

from captioning.core.errors import InputError
from captioning.evaluation.ptb import PTB_VERSION, ptb_words
from captioning.params.choices import Normalization, Tokenizer
from captioning.text import Standardization


@dataclass(frozen=True)
class ScoringTokenizer:
    """Cuts texts into the words that the metrics compare.

    - `none`: lower case, punctuation deleted, then cut at spaces. "dog's t-shirt" becomes
      "dogs tshirt". Simple and without further programs, but not what COCO-caption does.
    - `ptb`: COCO-caption's tokenizer, see `ptb`. "dog's t-shirt" becomes "dog 's t-shirt".
    - `char`, `zh`, `ja-mecab`, `ko-mecab`: as `none`, then cut by sacrebleu's tokenizer of that
      name into characters, Chinese characters, or the morphemes that MeCab finds. sacrebleu's
      tokenizers for European languages (`13a`, `intl`) are not offered: they only separate
      punctuation, which is deleted before.

    Attributes:
        name: which of these.
        normalization: Unicode normal form, that of the vocabulary.
    """

    name: Tokenizer = "none"
    normalization: Normalization = "nfc"

    def __call__(self, texts: Iterable[str]) -> list[str]:
        """The words of each text, joined by single spaces.

        Raises:
            InputError: as `check`.
        """
        standardized = map(self._standardization, texts)
        if self.name == "ptb":
            return ptb_words(standardized)
        if self.name == "none":
            return list(standardized)
        cut = self._cut
        return [" ".join(cut(text).split()) for text in standardized]

    def __str__(self) -> str:
        return f"tokenizer {self.name}, {self.normalization}"

    def check(self) -> ScoringTokenizer:
        """Return itself if the tokenizer works on this machine.

        Raises:
            InputError: it needs packages or a program that are not installed; says which.
        """
        self(["a"])
        return self

    @property
    def description(self) -> str:
        """How texts are prepared, for a signature."""
        form = "" if self.normalization == "nfc" else f"{self.normalization.upper()} "
        if self.name == "ptb":
            return f"text {form}lower case, cut by {PTB_VERSION}, without punctuation"
        return f"text {form}lower case without punctuation"

    @cached_property
    def signature(self) -> str:
        """Name and, for sacrebleu's tokenizers, version of what cuts the texts."""
        if self.name == "ptb":
            return self.name
        return str(self._bleu.get_signature().info["tok"])

    @cached_property
    def _standardization(self) -> Standardization:
        """What is done to a text before it is cut."""
        if self.name == "ptb":
            # The rest is up to the tokenizer, which needs to see upper case and punctuation.
            return Standardization(self.normalization, lowercase=False, punctuation="keep")
        return Standardization(self.normalization)

    @cached_property
    def _cut(self) -> Callable[[str], str]:
        cut: Callable[[str], str] = self._bleu.tokenizer
        return cut

    @cached_property
    def _bleu(self) -> BLEU:
        try:
            bleu = BLEU(tokenize=self.name)
        except RuntimeError:
            raise InputError(
                f"evaluate.tokenizer {self.name} needs packages that are not installed: run "
                f"`pip install -e '.[{self.name[:2]}]'`, or choose another"
            ) from None
        bleu.corpus_score(["a"], [["a"]])  # sacrebleu signs only what has scored.
        return bleu
