"""Tokenizers of the metrics: what they need, and which there are."""

from __future__ import annotations

import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from captioning.core.errors import InputError
from captioning.evaluation.words import ScoringTokenizer
from captioning.params.stages import EvaluateParams, VocabularyParams


def test_without_a_tokenizer_words_stand_between_spaces():
    texts = ["A dog's t-shirt,  [very] RED!", "", "..."]
    assert ScoringTokenizer()(texts) == ["a dogs tshirt very red", "", ""]


@pytest.mark.parametrize(
    ("tokenizer", "text", "words"),
    [
        ("ko-mecab", "고양이가 의자에 앉아 있다.", "고양이 가 의자 에 앉 아 있 다"),
        ("ja-mecab", "猫が椅子に座っている。", "猫 が 椅子 に 座っ て いる"),
    ],
)
def test_mecab_cuts_texts_into_morphemes(tokenizer, text, words):
    assert ScoringTokenizer(tokenizer).check()([text]) == [words]


@pytest.mark.parametrize(
    ("tokenizer", "package"), [("ja-mecab", "MeCab"), ("ko-mecab", "mecab_ko")]
)
def test_a_tokenizer_names_missing_packages(monkeypatch, tokenizer, package):
    monkeypatch.setitem(sys.modules, package, None)
    for name in [name for name in sys.modules if name.startswith("sacrebleu.tokenizers.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=rf"{tokenizer} needs .*'\.\[{tokenizer[:2]}\]'"):
        ScoringTokenizer(tokenizer).check()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ("13a", "nfc"),
            "'none', 'ptb', 'char', 'zh', 'ja-mecab' or 'ko-mecab'.*input_value='13a'",
        ),
        (("none", "nfd"), "'nfc' or 'nfkc'.*input_value='nfd'"),
        ((None, "nfc"), "input_value=None"),
    ],
)
def test_unknown_tokenizers_and_normal_forms_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        ScoringTokenizer(*values)


def test_every_choice_of_params_yaml_is_accepted():
    for field, key, section in (
        ("name", "tokenizer", EvaluateParams),
        ("normalization", "normalization", VocabularyParams),
    ):
        values = get_args(section.model_fields[key].annotation)
        assert len(values) > 1
        assert [getattr(ScoringTokenizer(**{field: value}), field) for value in values] == [*values]
