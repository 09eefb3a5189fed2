"""Vocabularies of subwords: training, encoding, decoding, and saving."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from imports import ROOT

from captioning.core.errors import InputError
from captioning.text import (
    END,
    PAD,
    SPECIAL_TOKENS,
    START,
    UNK,
    Standardization,
    SubwordVocabulary,
    WordVocabulary,
    load_vocabulary,
    marginal_entropy,
    output_bias,
    subwords,
)

KOREAN = [
    "빨간 별이 왼쪽에 있다.",
    "파란 별과 빨간 원이 있다.",
    "그림에 빨간 원이 있습니다.",
    "노란 사각형이 파란 원 위에 있다.",
    "노란 원이 파란 사각형 위에 있습니다.",
] * 4
JAPANESE = ["犬が公園を走っている。", "猫が公園で寝ている。", "白い犬が砂浜を走る。"] * 4
KEEP = Standardization(lowercase=False, punctuation="keep")


@pytest.fixture(scope="module")
def korean() -> SubwordVocabulary:
    return SubwordVocabulary.fit(KOREAN, max_size=60)


def test_the_special_tokens_have_the_first_ids(korean):
    assert korean.tokens[:4] == SPECIAL_TOKENS
    assert len(korean) == len(korean.tokens) == 60


@pytest.mark.parametrize(
    ("captions", "text"),
    [
        (KOREAN, "빨간 사각형이 파란 별 위에 있습니다"),
        (JAPANESE, "白い猫が砂浜で寝ている"),
        (["le café — très beau 🐶!", "Größe: ĳ"], "le café — très beau 🐶!"),
        (["a dog's red t-shirt"], "dog red's"),
        (["\U0001f469\u200d\U0001f680 astronaut"], "\U0001f469\u200d\U0001f680 astronaut"),
    ],
)
def test_decoding_restores_the_encoded_text(captions, text):
    known = SubwordVocabulary.fit(captions, 200, standardization=KEEP)
    ids = known.encode(text)
    assert UNK not in ids and ids[0] == START and ids[-1] == END
    assert known.decode(ids) == unicodedata.normalize("NFC", text)
    assert known.decode([*ids, 5, 6, PAD]) == known.decode(ids)


def test_decoding_restores_spaces_and_adds_none(korean):
    japanese = SubwordVocabulary.fit(JAPANESE, max_size=100)
    assert japanese.decode(japanese.encode("犬が　走る")) == "犬が 走る"
    assert " " not in japanese.decode(japanese.encode("犬が走る"))
    assert korean.decode(korean.encode("")) == "" and korean.encode("  ...") == [START, END]


def test_captions_are_standardized_first(korean):
    decomposed = unicodedata.normalize("NFD", "빨간 별이!")
    assert korean.encode(decomposed) == korean.encode("빨간 별이")
    cased = SubwordVocabulary.fit(["A Dog."], 100, standardization=KEEP)
    assert cased.decode(cased.encode("Dog. A")) == "Dog. A"


def test_adjacent_unknown_characters_become_one_unknown_token(korean):
    ids = korean.encode("빨간 갉낡별")
    assert ids.count(UNK) == 1
    assert korean.decode(ids) == "빨간 [UNK]별"
    # Only characters of the train captions are known.
    assert korean.encode("dog").count(UNK) == 1


def test_special_tokens_in_a_caption_are_plain_text():
    known = SubwordVocabulary.fit(["[END] [START]"], 100, standardization=KEEP)
    assert not {START, END, PAD} & set(known.encode("[START] [END]")[1:-1])


def test_larger_vocabularies_have_longer_pieces():
    small, large = (SubwordVocabulary.fit(KOREAN, size) for size in (40, 70))
    assert len(small) == 40 and len(large) == 70
    mean = [np.mean([len(v.encode(caption)) for caption in KOREAN]) for v in (small, large)]
    assert mean[1] < 0.7 * mean[0]


def test_there_are_fewer_tokens_than_max_size_if_nothing_is_left_to_merge():
    known = SubwordVocabulary.fit(["ab", "ab c"], max_size=5000)
    assert len(known) < 20 and known.tokens.count("▁ab") == 1


def test_a_truncated_caption_still_ends_with_end(korean):
    whole = korean.encode(KOREAN[0])
    assert korean.encode(KOREAN[0], max_length=4) == [*whole[:3], END]
    assert korean.encode(KOREAN[0], max_length=2) == [START, END]


def test_pieces_are_listed_with_the_index_of_their_word():
    korean = SubwordVocabulary.fit(KOREAN, max_size=40)
    text = "노란 사각형이 왼쪽에"
    pieces = korean.pieces(korean.encode(text))
    assert "".join(piece for piece, _ in pieces).replace("▁", " ").strip() == text
    assert [word for piece, word in pieces if piece.startswith("▁")] == [0, 1, 2]
    words = [word for _, word in pieces]
    assert words == sorted(words) and len(pieces) > 3
    # A model may produce a caption that begins inside a word, and a "▁" without a word.
    inside, begin = korean.tokens.index("이"), korean.tokens.index("▁")
    produced = [START, inside, begin, begin, inside, END]
    assert korean.decode(produced) == "이 이"
    assert [word for _, word in korean.pieces(produced)] == [0, 1, 1, 1]
    assert korean.pieces([START, begin, END]) == [("▁", 0)]


def test_the_pieces_of_a_word_vocabulary_are_words():
    known = WordVocabulary((*SPECIAL_TOKENS, "a", "dog"))
    assert known.pieces(known.encode("a dog a cat")) == [
        ("a", 0),
        ("dog", 1),
        ("a", 2),
        ("[UNK]", 3),
    ]


def test_counts_bias_and_entropy_refer_to_pieces(korean):
    counts = korean.count(KOREAN)
    assert counts[START] == counts[END] == len(KOREAN) and counts[UNK] == 0
    assert counts.sum() == sum(len(korean.encode(caption)) for caption in KOREAN)
    bias = output_bias(counts)
    assert np.exp(bias.astype(np.float64)).sum() == pytest.approx(1)
    # Pieces that occur only within longer ones have a count of 0, but they are not banned.
    assert (counts[4:] == 0).any() and np.isfinite(marginal_entropy(counts))


def test_character_coverage_leaves_out_rare_characters():
    captions = ["abc abc"] * 200 + ["z"]
    known = SubwordVocabulary.fit(captions, 100, character_coverage=1.0)
    assert UNK not in known.encode("z")
    assert UNK in SubwordVocabulary.fit(captions, 100, character_coverage=0.99).encode("z")


@pytest.mark.parametrize("captions", [[], ["", "..."]])
def test_captions_without_a_word_are_refused(captions):
    with pytest.raises(
        InputError, match="the vocabulary would be empty: no train caption contains a word"
    ):
        SubwordVocabulary.fit(captions, 100)


def test_a_max_size_too_small_for_all_characters_is_refused_and_the_needed_size_is_named():
    with pytest.raises(
        InputError, match=r"vocabulary\.max_size is 10, but .* take (\d+): "
    ) as error:
        SubwordVocabulary.fit(KOREAN, 10, character_coverage=0.9995)
    assert "vocabulary.character_coverage (0.9995)" in str(error.value)
    needed = int(str(error.value).split("take ")[1].split(":")[0])
    assert len(SubwordVocabulary.fit(KOREAN, needed)) == needed
    with pytest.raises(InputError, match=f"take {needed}:"):
        SubwordVocabulary.fit(KOREAN, needed - 1)


def test_a_vocabulary_is_learned_from_a_sample_of_very_many_captions(monkeypatch):
    captions = [f"word{number}" for number in range(2000)]
    everything = subwords._sample(captions)
    assert everything == captions
    monkeypatch.setattr(subwords, "_MAX_TRAINING_CAPTIONS", 100)
    drawn = subwords._sample(iter(captions))
    assert drawn == subwords._sample(captions) and len(set(drawn)) == 100
    # The sample is spread evenly: its mean position is within five standard errors.
    positions = [int(word.removeprefix("word")) for word in drawn]
    assert np.mean(positions) == pytest.approx(1000, abs=5 * 2000 / 12**0.5 / 10)
    known = SubwordVocabulary.fit(captions, 60)
    assert known.model == SubwordVocabulary.fit(drawn, 60).model


def test_an_input_error_while_reading_captions_is_raised_unchanged():
    def captions() -> Iterator[str]:
        yield "a dog"
        raise InputError("train-00000.parquet is damaged")

    with pytest.raises(InputError, match=r"^train-00000\.parquet is damaged$"):
        SubwordVocabulary.fit(captions(), 100)


def test_saving_and_loading_give_the_same_vocabulary(korean, tmp_path):
    korean.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"vocabulary.txt", "subwords.model"}
    lines = (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:4] == ["[PAD]", "[UNK]", "[START]", "[END]"] and "▁별" in lines
    loaded = load_vocabulary(tmp_path)
    assert loaded == korean and loaded.sha256 == korean.sha256
    assert loaded.encode(KOREAN[1]) == korean.encode(KOREAN[1])


def test_the_standardization_is_saved_and_changes_the_checksum(tmp_path):
    plain, cased = (
        SubwordVocabulary.fit(["A Dog"], 100, standardization=s)
        for s in (Standardization(), Standardization(lowercase=False))
    )
    cased.save(tmp_path)
    assert (tmp_path / "standardization.json").is_file()
    loaded = load_vocabulary(tmp_path)
    assert loaded == cased and loaded.decode(loaded.encode("Dog")) == "Dog"
    same = SubwordVocabulary(cased.model)
    assert len({plain.sha256, cased.sha256, same.sha256}) == 3
    # A vocabulary of the other kind in the same folder deletes all files of this one.
    WordVocabulary.fit(["a dog"], 100).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["vocabulary.txt"]
    assert isinstance(load_vocabulary(tmp_path), WordVocabulary)


@pytest.mark.parametrize("model", [b"", b"no model", b"\n\x0e"])
def test_a_damaged_model_is_refused(korean, tmp_path, model):
    korean.save(tmp_path)
    (tmp_path / "subwords.model").write_bytes(model)
    with pytest.raises(
        InputError, match=r"subwords\.model is damaged \(it was not written by this project\)"
    ):
        load_vocabulary(tmp_path)
    with pytest.raises(InputError, match="the subword model is damaged"):
        SubwordVocabulary(model)


def test_a_list_that_disagrees_with_the_model_is_refused(korean, tmp_path):
    korean.save(tmp_path)
    SubwordVocabulary.fit(JAPANESE, 60).save(tmp_path / "other")
    (tmp_path / "vocabulary.txt").write_bytes((tmp_path / "other/vocabulary.txt").read_bytes())
    with pytest.raises(InputError, match=r"vocabulary\.txt is damaged .*the pieces of subwords"):
        load_vocabulary(tmp_path)
    (tmp_path / "vocabulary.txt").unlink()
    with pytest.raises(InputError, match=r"vocabulary\.txt is missing: run `dvc repro voc"):
        load_vocabulary(tmp_path)
    with pytest.raises(InputError, match=r"subwords\.model is missing: run `dvc repro voc"):
        SubwordVocabulary.load(tmp_path / "nowhere")


def test_training_is_silent_and_gives_the_same_bytes_in_any_folder(tmp_path):
    code = (
        "import hashlib\n"
        "from captioning.text import SubwordVocabulary\n"
        f"captions = {KOREAN!r} + {JAPANESE!r}\n"
        "vocabulary = SubwordVocabulary.fit(iter(captions), 150, 0.9995)\n"
        "print(vocabulary.sha256, hashlib.sha256(vocabulary.model).hexdigest())\n"
    )
    printed = []
    for seed, name in (("1", "one"), ("2", "another folder")):
        folder: Path = tmp_path / name
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == "" and not list(folder.iterdir())
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    here = SubwordVocabulary.fit([*KOREAN, *JAPANESE], 150, 0.9995)
    assert printed[0].startswith(here.sha256)
