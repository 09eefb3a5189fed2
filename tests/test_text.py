"""Standardisation, vocabulary and output bias."""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from captioning.errors import InputError
from captioning.text import (
    END,
    PAD,
    SPECIAL_TOKENS,
    START,
    UNK,
    Vocabulary,
    marginal_entropy,
    output_bias,
    standardize,
    uniform_entropy,
)

CAPTIONS = ["A dog runs.", "a dog, a cat!", "The cat sleeps", "a bird"]


def vocabulary(*words: str) -> Vocabulary:
    return Vocabulary((*SPECIAL_TOKENS, *words))


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


SPECIAL_LINES = ["[PAD]", "[UNK]", "[START]", "[END]"]


def test_ascii_text_is_standardized_as_in_the_tutorial():
    # The tutorial: lower case, every character of string.punctuation deleted, split at whitespace.
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
def test_letters_of_every_script_stay(caption, expected):
    assert standardize(caption) == unicodedata.normalize("NFC", expected)


def test_one_spelling_of_an_accented_letter():
    assert standardize("cafe\u0301") == standardize("caf\u00e9")


@pytest.mark.parametrize("text", ["e-\u0301a", "J\u030c", "İstanbul", "ΑΣ,Β", "\u1fefa", "ﬁne"])
def test_standardizing_twice_changes_nothing(text):
    assert standardize(standardize(text)) == standardize(text)


def test_words_come_by_falling_count_then_alphabetically():
    words = Vocabulary.fit(CAPTIONS, max_size=100).tokens[4:]
    assert words == ("a", "cat", "dog", "bird", "runs", "sleeps", "the")
    assert Vocabulary.fit(CAPTIONS[::-1], max_size=100).tokens[4:] == words


def test_max_size_counts_the_special_tokens():
    fitted = Vocabulary.fit(CAPTIONS, max_size=6)
    assert fitted.tokens == ("", "[UNK]", "[START]", "[END]", "a", "cat")
    assert len(fitted) == 6


def test_rare_words_are_left_out():
    assert Vocabulary.fit(CAPTIONS, max_size=100, min_count=2).tokens[4:] == ("a", "cat", "dog")


def test_words_that_look_like_special_tokens_are_plain_words():
    fitted = Vocabulary.fit(["[END] [PAD] [START] [UNK]"], max_size=100)
    assert fitted.tokens[4:] == ("end", "pad", "start", "unk")
    assert fitted.encode("[END]") == [START, 4, END]


@pytest.mark.parametrize(
    ("captions", "max_size", "min_count", "message"),
    [
        ([], 10, 1, "no word for the vocabulary: 0 words"),
        (["...", ""], 10, 1, "no word for the vocabulary: 0 words"),
        (CAPTIONS, 4, 1, r"vocabulary.max_size is 4"),
        (CAPTIONS, 10, 9, r"0 of them seen vocabulary.min_count \(9\) times"),
    ],
)
def test_a_vocabulary_without_words_is_refused(captions, max_size, min_count, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.fit(captions, max_size, min_count)


def test_encoding_and_decoding():
    known = vocabulary("a", "dog", "runs")
    ids = known.encode("A DOG, slowly, runs.")
    assert ids == [START, 4, 5, UNK, 6, END]
    assert known.decode(ids) == "a dog [UNK] runs"
    assert known.encode("") == [START, END]
    assert known.decode([]) == ""


def test_cutting_keeps_end():
    known = vocabulary("a", "dog", "runs")
    assert known.encode("a dog runs", max_length=5) == [START, 4, 5, 6, END]
    assert known.encode("a dog runs", max_length=4) == [START, 4, 5, END]
    assert known.encode("a dog runs", max_length=2) == [START, END]
    with pytest.raises(ValueError, match="max_length must be 2 or more, not 1"):
        known.encode("a dog runs", max_length=1)


def test_decoding_stops_at_end_and_drops_padding():
    known = vocabulary("a", "dog")
    assert known.decode(np.array([START, 4, PAD, 5, END, 4, PAD], np.int32)) == "a dog"


@pytest.mark.parametrize("token", [-1, 6])
def test_ids_outside_the_vocabulary_are_refused(token):
    with pytest.raises(ValueError, match=f"id {token} is not in the vocabulary of 6 tokens"):
        vocabulary("a", "dog").decode([4, token])


def test_saving_and_loading_give_the_same_vocabulary(tmp_path):
    fitted = Vocabulary.fit([*CAPTIONS, "собака 狗 a\u2028b"], max_size=100)
    path = tmp_path / "vocabulary.txt"
    fitted.save(path)
    assert path.read_bytes().decode().split("\n")[:5] == [*SPECIAL_LINES, "a"]
    loaded = Vocabulary.load(path)
    assert loaded == fitted
    assert loaded.sha256 == fitted.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert fitted.sha256 != vocabulary("a").sha256


@pytest.mark.parametrize(
    ("lines", "number", "message"),
    [
        ([], None, "ends before line 4"),
        (SPECIAL_LINES[:3], None, "ends before line 4"),
        (["a", "dog", "b", "c", "d"], 1, r"'a' found where \[PAD\] belongs"),
        (["", *SPECIAL_LINES[1:], "a"], 1, r"'' found where \[PAD\] belongs"),
        (["[PAD]", "[UNK]", "[END]", "[START]"], 3, r"'\[END\]' found where \[START\] belongs"),
        ([*SPECIAL_LINES, "a", "", "b"], 6, "'' found where a standardised word belongs"),
        ([*SPECIAL_LINES, "a", "Dog"], 6, "'Dog' found where"),
        ([*SPECIAL_LINES, "a", "[END]"], 6, r"'\[END\]' found where"),
        ([*SPECIAL_LINES, "a dog"], 5, "'a dog' found where"),
        ([*SPECIAL_LINES, "a\r"], 5, r"'a\\r' found where"),
        ([*SPECIAL_LINES, "a", "dog", "a"], 7, "'a' is on line 5 already"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, lines, number, message):
    path = write_lines(tmp_path / "words.txt", lines)
    place = f"words.txt line {number}: " if number else "words.txt "
    with pytest.raises(InputError, match=place + message):
        Vocabulary.load(path)


def test_a_vocabulary_cut_off_is_refused(tmp_path):
    path = tmp_path / "words.txt"
    vocabulary("a", "dog").save(path)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(InputError, match=r"words\.txt line 6: no newline after 'do'"):
        Vocabulary.load(path)


def test_a_vocabulary_file_missing_or_binary_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"words\.txt is missing: run `dvc repro vocabulary`"):
        Vocabulary.load(tmp_path / "words.txt")
    (tmp_path / "words.txt").write_bytes(b"[PAD]\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"words\.txt is no vocabulary: not UTF-8"):
        Vocabulary.load(tmp_path / "words.txt")


def test_a_vocabulary_made_wrongly_is_refused():
    with pytest.raises(InputError, match="vocabulary line 1: 'a' found where"):
        Vocabulary(("a", "b", "c", "d", "e"))


def test_counting_tokens():
    known = vocabulary("a", "dog", "zebra")
    #                                            PAD UNK START END a  dog zebra
    assert known.count(CAPTIONS).tolist() == [0, 6, 4, 4, 4, 2, 0]


def test_output_bias_is_the_log_of_the_marginal():
    counts = np.array([0, 7, 9, 4, 3, 1])
    bias = output_bias(counts)
    assert bias.dtype == np.float32
    # Over what may be produced, of 8: unknown words and [START] don't count.
    np.testing.assert_allclose(bias[END:], np.log([4 / 8, 3 / 8, 1 / 8]), rtol=1e-6)
    assert (bias[[PAD, UNK, START]] == -1e9).all()
    softmax = np.exp(bias.astype(np.float64))
    assert softmax.sum() == pytest.approx(1)
    # The mean loss of a model that knows the bias alone.
    expected = -(np.array([4, 3, 1]) / 8 * np.log([4 / 8, 3 / 8, 1 / 8])).sum()
    assert marginal_entropy(counts) == pytest.approx(expected)


def test_a_token_never_seen_counts_half():
    counts = np.array([0, 0, 2, 2, 2, 0])
    np.testing.assert_allclose(np.exp(output_bias(counts)[END:]), np.array([2, 2, 0.5]) / 4.5)
    assert np.isfinite(marginal_entropy(counts))


def test_entropies_of_equal_counts_agree():
    counts = np.array([0, 0, 0, *[10] * 16])
    assert marginal_entropy(counts) == pytest.approx(np.log(16))
    assert uniform_entropy(5000) == pytest.approx(8.517, abs=1e-3)
