"""Standardization of captions: the default, each setting, and that repeating it changes nothing."""

from __future__ import annotations

import re
import string
import unicodedata

import pytest

from captioning.text import (
    Standardization,
    standardize,
)


def test_ascii_text_is_standardized_as_in_the_tutorial():
    # The tutorial lowercases, deletes all of string.punctuation, and splits at whitespace.
    text = "".join(map(chr, range(128))) + ' A man\'s T-shirt: "[UNK]"  (50% off)\tnow...'
    tutorial = re.sub(f"[{re.escape(string.punctuation)}]", "", text.lower()).split()
    assert standardize(text).split() == tutorial
    assert standardize("  Two  dogs\n run ") == "two dogs run"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Собака бежит по траве.", "собака бежит по траве"),
        ("„Ein Mädchen“ – größer…", "ein mädchen größer"),
        ("一只狗。", "一只狗"),
        ("एक कुत्ता दौड़ रहा है।", "एक कुत्ता दौड़ रहा है"),
        ("Ο ΣΚΥΛΟΣ", "ο σκυλος"),
        ("a €5 dog 🐶", "a 5 dog"),
        ("«¿Qué?»\u00a0¡Sí!", "qué sí"),
        ("...", ""),
        ("", ""),
    ],
)
def test_letters_of_every_script_are_kept_and_punctuation_is_deleted(caption, expected):
    assert standardize(caption) == unicodedata.normalize("NFC", expected)


def test_both_encodings_of_an_accented_letter_are_unified():
    assert standardize("cafe\u0301") == standardize("caf\u00e9")


@pytest.mark.parametrize("text", ["e-\u0301a", "J\u030c", "İstanbul", "ΑΣ,Β", "\u1fefa", "ﬁne"])
def test_standardizing_twice_changes_nothing(text):
    assert standardize(standardize(text)) == standardize(text)


@pytest.mark.parametrize(
    ("settings", "caption", "expected"),
    [
        ({"normalization": "nfkc"}, "Ｄｏｇ ① ﬁne ｶﾞ ℌ", "dog 1 fine ガ h"),
        ({"normalization": "nfc"}, "Ｄｏｇ ① ﬁne", "ｄｏｇ ① ﬁne"),
        ({"lowercase": False}, "A Dog, RED!", "A Dog RED"),
        ({"punctuation": "keep"}, "A dog's  t-shirt: €5 🐶.", "a dog's t-shirt: €5 🐶."),
        ({"lowercase": False, "punctuation": "keep"}, " Ein „Hund“ ", "Ein „Hund“"),
    ],
)
def test_each_setting_of_the_standardization_has_its_effect(settings, caption, expected):
    assert Standardization(**settings)(caption) == unicodedata.normalize("NFC", expected)


def test_the_default_standardization_is_that_of_the_tutorial():
    for text in ("A dog's t-shirt, RED!", "Ｄｏｇ ①", "e-\u0301a"):
        assert Standardization()(text) == standardize(text)


@pytest.mark.parametrize("normalization", ["nfc", "nfkc"])
@pytest.mark.parametrize("punctuation", ["delete", "keep"])
def test_standardizing_any_character_twice_changes_nothing(normalization, punctuation):
    standardization = Standardization(normalization, punctuation=punctuation)
    characters = (chr(code) for code in range(0x3400) if not 0xD800 <= code < 0xE000)
    for character in characters:
        once = standardization(f"a{character}\u0301 {character}Z")
        assert standardization(once) == once, hex(ord(character))
