"""Invisible characters go; joiners that change what is seen stay."""

from __future__ import annotations

import random
import unicodedata

import pytest

from captioning.text import Standardization, WordVocabulary, standardize

KEEP = Standardization(punctuation="keep")


@pytest.mark.parametrize(
    "invisible",
    [
        *("\ufeff", "\u200b", "\u00ad", "\u2060", "\u200e", "\u202e", "\u061c", "\u180e"),
        *("\u200c", "\u200d", "\ufe0f", "\u034f", "\u115f", "\u3164", "\U000e0100", "\U000e0067"),
    ],
)
@pytest.mark.parametrize("place", ["{}dog", "do{}g", "dog{}"])
def test_a_word_with_an_invisible_character_is_the_word_without_it(invisible, place):
    for settings in (standardize, KEEP, Standardization("nfkc"), Standardization(lowercase=False)):
        assert settings(f"a {place.format(invisible)} runs") == "a dog runs"
        assert settings(f"{invisible} {invisible}{invisible}") == ""
    vocabulary = WordVocabulary.fit(["a dog", f"a {place.format(invisible)}"], 100, 1)
    assert vocabulary.tokens[4:] == ("a", "dog")


def test_an_invisible_character_does_not_part_a_letter_from_its_accent():
    assert standardize("cafe\u200b\u0301") == standardize("cafe\u034f\u0301") == "café"


@pytest.mark.parametrize(
    "word",
    [
        "می\u200cخواهم",  # Persian: the letters do not join.
        "کتاب\u200cها",
        "می\u064e\u200cخواهم",  # A vowel mark before the non-joiner.
        "ه\u200d",  # Arabic: the initial shape alone.
        "\u200dه",
        "क्\u200dष",  # Devanagari: a half form instead of the conjunct.
        "क्\u200cष",  # A visible virama instead of the conjunct.
        "র\u200d্যাম",  # Bengali: the joiner before the virama.
        "ක්\u200dර",  # Sinhala.
        "ക്\u200d",  # Malayalam: a chillu.
    ],
)
def test_joiners_that_carry_meaning_stay(word):
    for form in ("nfc", "nfkc"):
        expected = unicodedata.normalize(form.upper(), word)
        assert Standardization(form)(word) == expected
        assert Standardization(form)(f"\ufeff{word}\u200b!") == expected
    assert standardize(word) != standardize(word.replace("\u200c", "").replace("\u200d", ""))


@pytest.mark.parametrize("joiner", ["\u200c\u200c", "\u200b\u200c", "\u200c\ufeff"])
def test_joiners_typed_twice_are_one(joiner):
    assert standardize(f"می{joiner}خواهم") == "می\u200cخواهم"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("مادر\u200cها", "مادرها"),  # Its first letter does not join anyway.
        ("ب\u200dب", "بب"),  # They join anyway.
        ("\u200cمی\u200c", "می"),
        ("क\u200dष", "कष"),
    ],
)
def test_joiners_that_change_nothing_go(word, expected):
    assert standardize(word) == expected


@pytest.mark.parametrize(
    ("emoji", "expected"),
    [
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("👩🏽\u200d🚀", "👩🏽\u200d🚀"),
        ("🏳\ufe0f\u200d🌈", "🏳\u200d🌈"),  # The selector chooses color, not meaning.
        ("❤\ufe0f", "❤"),
        ("👨\u200d", "👨"),
        *(
            (flag, flag)
            for flag in ["🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"]
        ),
    ],
)
def test_emoji_keep_what_joins_them_and_leave_nothing_when_deleted(emoji, expected):
    assert KEEP(f"a {emoji} b") == f"a {expected} b"
    assert standardize(f"a {emoji} b{emoji}") == "a b"


def test_standardizing_twice_changes_nothing_whatever_stands_together():
    characters = [
        *"aeب رهक्র্ාසකේ්👨👩❤🔥🏴🏽1!,.\u0301\u0650\u064b\u07faـᠠ\u094d\u0dca",
        *("\u200c", "\u200d", "\u200b", "\ufe0f", "\u00ad", "\u1160", "\u3164", "\u034f") * 2,
        *("\U000e0067", "\U000e007f", "\u180e") * 2,
    ]
    source = random.Random(0)
    for form in ("nfc", "nfkc"):
        for punctuation in ("keep", "delete"):
            standardization = Standardization(form, punctuation=punctuation)
            for _ in range(5000):
                text = "".join(source.choices(characters, k=source.randint(1, 9)))
                once = standardization(text)
                assert standardization(once) == once, ascii(text)
