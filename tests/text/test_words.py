"""Vocabularies of words: fitting, encoding, decoding, saving, and refused files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError
from captioning.text import (
    END,
    PAD,
    SPECIAL_TOKENS,
    START,
    UNK,
    Standardization,
    WordVocabulary,
    load_vocabulary,
)

CAPTIONS = ["A dog runs.", "a dog, a cat!", "The cat sleeps", "a bird"]


def vocabulary(*words: str) -> WordVocabulary:
    return WordVocabulary((*SPECIAL_TOKENS, *words))


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


SPECIAL_LINES = ["[PAD]", "[UNK]", "[START]", "[END]"]


def test_words_are_ordered_by_descending_count_then_alphabetically():
    words = WordVocabulary.fit(CAPTIONS, max_size=100).tokens[4:]
    assert words == ("a", "cat", "dog", "bird", "runs", "sleeps", "the")
    assert WordVocabulary.fit(CAPTIONS[::-1], max_size=100).tokens[4:] == words


def test_max_size_includes_the_special_tokens():
    fitted = WordVocabulary.fit(CAPTIONS, max_size=6)
    assert fitted.tokens == ("", "[UNK]", "[START]", "[END]", "a", "cat")
    assert len(fitted) == 6


def test_rare_words_are_left_out():
    assert WordVocabulary.fit(CAPTIONS, max_size=100, min_count=2).tokens[4:] == ("a", "cat", "dog")


def test_words_that_look_like_special_tokens_are_plain_words():
    fitted = WordVocabulary.fit(["[END] [PAD] [START] [UNK]"], max_size=100)
    assert fitted.tokens[4:] == ("end", "pad", "start", "unk")
    assert fitted.encode("[END]") == [START, 4, END]


@pytest.mark.parametrize(
    ("captions", "max_size", "min_count", "message"),
    [
        ([], 10, 1, "the vocabulary would be empty: .* 0 words"),
        (["...", ""], 10, 1, "the vocabulary would be empty: .* 0 words"),
        (CAPTIONS, 4, 1, r"vocabulary.max_size is 4"),
        (CAPTIONS, 10, 9, r"0 of them at least vocabulary.min_count \(9\) times"),
    ],
)
def test_a_vocabulary_without_words_is_refused(captions, max_size, min_count, message):
    with pytest.raises(InputError, match=message):
        WordVocabulary.fit(captions, max_size, min_count)


def test_encoding_standardizes_and_decoding_restores_the_words():
    known = vocabulary("a", "dog", "runs")
    ids = known.encode("A DOG, slowly, runs.")
    assert ids == [START, 4, 5, UNK, 6, END]
    assert known.decode(ids) == "a dog [UNK] runs"
    assert known.encode("") == [START, END]
    assert known.decode([]) == ""


def test_a_truncated_caption_still_ends_with_end():
    known = vocabulary("a", "dog", "runs")
    assert known.encode("a dog runs", max_length=5) == [START, 4, 5, 6, END]
    assert known.encode("a dog runs", max_length=4) == [START, 4, 5, END]
    assert known.encode("a dog runs", max_length=2) == [START, END]
    with pytest.raises(ValueError, match="max_length must be 2 or more, not 1"):
        known.encode("a dog runs", max_length=1)


def test_decoding_stops_at_end_and_skips_padding():
    known = vocabulary("a", "dog")
    assert known.decode(np.array([START, 4, PAD, 5, END, 4, PAD], np.int32)) == "a dog"


@pytest.mark.parametrize("token", [-1, 6])
def test_ids_outside_the_vocabulary_are_refused(token):
    with pytest.raises(ValueError, match=f"id {token} is not in the vocabulary of 6 tokens"):
        vocabulary("a", "dog").decode([4, token])


def test_saving_and_loading_give_the_same_vocabulary(tmp_path):
    fitted = WordVocabulary.fit([*CAPTIONS, "собака 狗 a\u2028b"], max_size=100)
    path = tmp_path / "vocabulary.txt"
    fitted.save(tmp_path)
    assert path.read_bytes().decode().split("\n")[:5] == [*SPECIAL_LINES, "a"]
    assert list(tmp_path.iterdir()) == [path]
    loaded = load_vocabulary(tmp_path)
    assert loaded == fitted
    assert loaded.sha256 == fitted.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert fitted.sha256 != vocabulary("a").sha256


@pytest.mark.parametrize(
    ("lines", "number", "message"),
    [
        ([], None, "not a vocabulary: it has fewer than 4 lines"),
        (SPECIAL_LINES[:3], None, "not a vocabulary: it has fewer than 4 lines"),
        (["a", "dog", "b", "c", "d"], 1, r"must be \[PAD\], found 'a'"),
        (["", *SPECIAL_LINES[1:], "a"], 1, r"must be \[PAD\], found ''"),
        (["[PAD]", "[UNK]", "[END]", "[START]"], 3, r"must be \[START\], found '\[END\]'"),
        ([*SPECIAL_LINES, "a", "", "b"], 6, "must be a standardized word, found ''"),
        ([*SPECIAL_LINES, "a", "Dog"], 6, "must be a standardized word, found 'Dog'"),
        ([*SPECIAL_LINES, "a", "[END]"], 6, r"must be a standardized word, found '\[END\]'"),
        ([*SPECIAL_LINES, "a dog"], 5, "must be a standardized word, found 'a dog'"),
        ([*SPECIAL_LINES, "a\r"], 5, r"must be a standardized word, found 'a\\r'"),
        ([*SPECIAL_LINES, "a", "dog", "a"], 7, "'a' is already on line 5"),
    ],
)
def test_a_file_that_is_not_a_vocabulary_is_refused_with_the_line(tmp_path, lines, number, message):
    write_lines(tmp_path / "vocabulary.txt", lines)
    place = r"vocabulary\.txt is damaged \(" + (f"line {number}: " if number else "")
    with pytest.raises(DamagedError, match=place + message):
        WordVocabulary.load(tmp_path)


def test_a_truncated_vocabulary_file_is_refused(tmp_path):
    vocabulary("a", "dog").save(tmp_path)
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(
        DamagedError, match=r"vocabulary\.txt is damaged \(line 6: the file is truncated after 'do'"
    ):
        WordVocabulary.load(tmp_path)


def test_a_missing_or_binary_vocabulary_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"vocabulary\.txt is missing: run `dvc repro vocabulary`"):
        WordVocabulary.load(tmp_path)
    (tmp_path / "vocabulary.txt").write_bytes(b"[PAD]\n\xff\xfe\n")
    with pytest.raises(DamagedError, match=r"vocabulary\.txt is damaged \('utf-8' codec"):
        WordVocabulary.load(tmp_path)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (("a", "b", "c", "d", "e"), r"line 1: must be '' \(padding\), found 'a'"),
        # Padding is "[PAD]" in a file only.
        ((*SPECIAL_LINES, "a"), r"line 1: must be '' \(padding\), found '\[PAD\]'"),
        ((*SPECIAL_TOKENS[:3], "a"), r"line 4: must be \[END\], found 'a'"),
        ((*SPECIAL_TOKENS, "[PAD]"), r"line 5: must be a standardized word, found '\[PAD\]'"),
        ((*SPECIAL_TOKENS, ""), "line 5: must be a standardized word, found ''"),
        (SPECIAL_TOKENS[:2], "not a vocabulary: it has fewer than 4 lines"),
    ],
)
def test_a_vocabulary_of_invalid_tokens_is_refused(tokens, message):
    with pytest.raises(InputError, match=f"vocabulary {message}"):
        WordVocabulary(tokens)


def test_padding_is_the_empty_token_in_memory_and_a_name_in_the_file(tmp_path):
    known = WordVocabulary((*SPECIAL_TOKENS, "a"))
    known.save(tmp_path)
    assert (tmp_path / "vocabulary.txt").read_text() == "[PAD]\n[UNK]\n[START]\n[END]\na\n"
    assert WordVocabulary.load(tmp_path).tokens == known.tokens == (*SPECIAL_TOKENS, "a")


def test_counts_include_special_tokens_and_unknown_words():
    known = vocabulary("a", "dog", "zebra")
    #                                            PAD UNK START END a  dog zebra
    assert known.count(CAPTIONS).tolist() == [0, 6, 4, 4, 4, 2, 0]


def test_the_standardization_is_saved_with_the_vocabulary(tmp_path):
    cased = WordVocabulary.fit(["A Dog."], 100, standardization=Standardization(lowercase=False))
    assert (
        cased.tokens[4:] == ("A", "Dog")
        and len({cased.sha256, WordVocabulary.fit(["a dog"], 9).sha256}) == 2
    )
    cased.save(tmp_path)
    loaded = load_vocabulary(tmp_path)
    assert loaded == cased and loaded.encode("A Dog, a dog") == [START, 4, 5, UNK, UNK, END]


def test_special_tokens_within_a_caption_are_unknown_words():
    keep = Standardization(lowercase=False, punctuation="keep")
    fitted = WordVocabulary.fit(["[END] [PAD] dog"], 100, standardization=keep)
    assert fitted.tokens == (*SPECIAL_TOKENS, "dog")
    assert fitted.encode("dog [END] [PAD] [START]") == [START, 4, UNK, UNK, UNK, END]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"lowercase": true}', "normalization: is missing; punctuation: is missing"),
        (
            '{"lowercase": 1, "normalization": "nfc", "punctuation": "keep"}',
            "lowercase: .*valid boolean .found 1",
        ),
        (
            '{"lowercase": true, "normalization": "nfd", "punctuation": "keep"}',
            "normalization: .*'nfc' or 'nfkc' .found 'nfd'",
        ),
    ],
)
def test_a_damaged_standardization_file_is_refused(tmp_path, content, message):
    vocabulary("a").save(tmp_path)
    (tmp_path / "standardization.json").write_text(content)
    with pytest.raises(DamagedError, match=rf"standardization\.json is .*{message}.*run `dvc"):
        load_vocabulary(tmp_path)
