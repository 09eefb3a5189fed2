"""A trained captioner: saved, loaded, used from Python and from the command line."""

from __future__ import annotations

import json
import shutil
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from imports import ROOT
from PIL import Image
from small_repository import run
from untrained_captioner import SIZE, WORDS, write_model

from captioning.captioner import Captioner
from captioning.cli.main import main
from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.core.opening import DamagedError, read_sealed_json
from captioning.decoding.search import DecodingSettings, make_decoder
from captioning.model.familiarity import Familiarity, pooled
from captioning.text import (
    Standardization,
    SubwordVocabulary,
    WordVocabulary,
)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    vocabulary = WordVocabulary.fit(WORDS, 100, 1)
    return write_model(tmp_path_factory.mktemp("model"), vocabulary, WORDS)


@pytest.fixture(scope="module")
def captioner(model_folder) -> Captioner:
    return Captioner.load(model_folder)


@pytest.fixture
def pictures(tmp_path) -> Path:
    random = np.random.default_rng(0)
    for name in ("one.png", "two.jpg"):
        pixels = random.integers(0, 255, (80, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def test_raw_images_and_their_features_text_and_its_ids_give_the_same_logits(captioner):
    images = np.random.default_rng(1).integers(0, 255, (2, SIZE, SIZE, 3), dtype=np.uint8)
    texts = ["a red dog", "two cats sleep"]
    wanted = captioner.logits(images, texts)
    assert wanted.shape == (2, 5, len(captioner.vocabulary))
    features, ids = captioner.features(images), captioner.token_ids(texts)
    np.testing.assert_array_equal(captioner.logits(features, ids), wanted)


def test_feature_maps_of_another_shape_are_refused(captioner):
    with pytest.raises(InputError, match="but the decoder expects"):
        captioner.features(np.zeros((1, 7, 7, 3), "float32"))


def test_attention_maps_sum_to_one_for_every_token(captioner):
    images = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    decoder = make_decoder(captioner.decoder, DecodingSettings("greedy"))
    captions, log_probabilities, tokens = captioner.caption(images, decoder)
    maps = captioner.attention(images, tokens)
    assert maps.shape == (2, 7, 2, 2)
    np.testing.assert_allclose(maps.sum(axis=(2, 3)), 1, rtol=1e-5)
    assert len(captions) == 2 and (log_probabilities < 0).all()


@pytest.mark.slow
def test_images_unlike_those_of_training_are_marked(captioner):
    random = np.random.default_rng(2)
    noise = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    images = [np.full((90, 60, 3), 200, np.uint8), noise]
    familiar = pooled(captioner.features(images[:1]))[0]
    none = np.zeros((0, len(familiar)), np.float32)
    known = Familiarity(familiar, none, np.array(0.1, np.float32))
    knowing = captioner._replace(familiarity=known)
    distances = knowing.distance(images)
    assert distances.dtype == np.float32 and distances[0] < 0.5 and distances[1] > 1
    assert knowing.unfamiliar(images).tolist() == [False, True]
    assert [caption.unfamiliar for caption in knowing(images, attention=False)] == [False, True]
    assert all(caption.unfamiliar for caption in knowing(noise, n=2, attention=False))


def test_a_model_that_does_not_know_its_training_features_marks_nothing(captioner):
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    assert captioner.distance(image) is None and captioner.unfamiliar(image) is None
    assert captioner(image, attention=False).unfamiliar is None


def test_a_vocabulary_that_does_not_belong_to_the_model_is_refused(model_folder, tmp_path):
    for path in model_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    WordVocabulary.fit(["other words"], 100, 1).save(tmp_path)
    with pytest.raises(InputError, match="decoder.keras was trained with another vocabulary"):
        Captioner.load(tmp_path)


@pytest.fixture(scope="module")
def korean_folder(tmp_path_factory) -> Path:
    """A model that writes Korean in pieces of words, with punctuation."""
    captions = ["빨간 별이 있다.", "파란 원이 있다!"]
    keep = Standardization("nfkc", lowercase=False, punctuation="keep")
    vocabulary = SubwordVocabulary.fit(captions, 30, standardization=keep)
    return write_model(tmp_path_factory.mktemp("korean"), vocabulary, captions)


@pytest.mark.slow
def test_a_model_of_subwords_needs_only_its_own_folder(korean_folder, pictures, capfd):
    loaded = Captioner.load(korean_folder)
    assert loaded.vocabulary.standardization.punctuation == "keep"
    picture, out = str(pictures / "one.png"), pictures / "attention.png"
    arguments = ["caption", picture, "--model", str(korean_folder), "--attention", str(out)]
    assert main(arguments) == 0
    printed = capfd.readouterr()
    caption = printed.out.removeprefix(f"{picture}: ").strip()
    assert set(caption) <= set("빨간별이있다파란원.! ") and caption
    # At most one notice, if no font has Hangul.
    assert Image.open(out).format == "PNG"
    assert sum("font" in line for line in printed.err.splitlines()) <= 1


@pytest.mark.parametrize("name", ["subwords.model", "standardization.json"])
def test_a_model_of_subwords_needs_all_its_files_as_they_were(korean_folder, tmp_path, name):
    for path in korean_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match="vocabulary.txt"):
        Captioner.load(tmp_path)


def test_a_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(InputError, match="decoder.keras is missing: run `dvc repro train`"):
        Captioner.load(tmp_path)


def test_other_backbone_weights_than_in_training_are_refused(captioner):
    other = Captioner(
        captioner.decoder, captioner.vocabulary, {**captioner.source, "weights_sha256": "0" * 64}
    )
    with pytest.raises(InputError, match="differ from those used in training"):
        other.features(np.zeros((1, SIZE, SIZE, 3), np.uint8))


@pytest.mark.slow
def test_command_captions_files_and_folders(model_folder, pictures, capsys):
    status = main(["caption", str(pictures), "--model", str(model_folder), "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    assert [row["image"] for row in rows] == [str(pictures / n) for n in ("one.png", "two.jpg")]
    assert all(row["log_probability"] < 0 for row in rows)


@pytest.mark.slow
def test_command_reports_files_that_are_not_images_and_captions_the_rest(
    model_folder, pictures, capsys
):
    (pictures / "text.png").write_text("not a picture")
    names = [str(pictures / name) for name in ("text.png", "one.png", "missing.png")]
    status = main(["caption", *names, "--model", str(model_folder), "--temperature", "0.7"])
    captured = capsys.readouterr()
    assert status == 1
    assert "text.png" in captured.err and "missing.png cannot be read" in captured.err
    assert captured.out.startswith(f"{pictures / 'one.png'}: ")


@pytest.mark.slow
def test_command_draws_the_attention(model_folder, pictures):
    picture, out = str(pictures / "one.png"), pictures / "attention.png"
    arguments = ["caption", picture, "--model", str(model_folder), "--attention", str(out)]
    assert main(arguments) == 0
    first = out.read_bytes()
    assert Image.open(out).format == "PNG"
    assert main(arguments) == 0
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam", "0"], "the beam width must be a whole number between 1 and 64, not 0"),
        (["--temperature", "-1"], "the temperature must be 0, or between 0.001 and 1000, not -1"),
        (["--top-p", "1.5"], "the top-p must be a number between 0.0001 and 1, not 1.5"),
    ],
)
def test_command_refuses_impossible_options(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["caption", "x.jpg", *arguments])
    assert message in capsys.readouterr().err


def test_command_prints_the_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"captioning {metadata.version('captioning')}\n"


def test_a_folder_without_images_is_refused(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no image")
    assert main(["caption", str(tmp_path)]) == 1
    assert f"error: {tmp_path} contains no image file (.avif, .bmp" in capsys.readouterr().err


@pytest.mark.slow
def test_an_image_named_twice_is_captioned_twice(model_folder, pictures, capsys):
    name = str(pictures / "one.png")
    assert main(["caption", name, name, "--model", str(model_folder)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second and first.startswith(f"{name}: ")


@pytest.mark.slow
def test_several_attention_maps_are_numbered(model_folder, pictures, capsys):
    out = pictures / "maps" / "attention.png"
    arguments = ["--model", str(model_folder), "--attention", str(out), "--json"]
    assert main(["caption", str(pictures), *arguments]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [str(out.with_name(f"attention-{number}.png")) for number in (1, 2)]
    assert [row["attention"] for row in rows] == names
    assert all(Image.open(name).format == "PNG" for name in names)


def test_help_does_not_import_tensorflow():
    code = (
        "import sys\nfrom captioning.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    assert "caption" in run(ROOT, sys.executable, "-c", code, errors=False)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("decoder.keras", lambda data: data[:-100], "its checksum is not that in captioner.json"),
        ("decoder.keras", lambda data: b"", "its checksum is not that in captioner.json"),
        ("captioner.json", lambda data: data[:40], "Expecting|Unterminated"),
        ("captioner.json", lambda data: data.replace(b"64", b"96"), "agree with its checksum"),
        ("captioner.json", lambda data: b"{}", "extractor is missing or no str"),
    ],
)
def test_damaged_files_of_a_model_are_named(model_folder, tmp_path, name, change, message):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(
        DamagedError, match=rf"{name} is damaged \(.*({message}).*delete it and run"
    ):
        Captioner.load(folder)


def test_a_model_of_an_earlier_version_without_checksums_is_read(model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    path = folder / "captioner.json"
    values = read_sealed_json(path)
    del values["decoder_sha256"]
    write_json(path, values)
    assert Captioner.load(folder).source["image_size"] == SIZE
    decoder = folder / "decoder.keras"
    decoder.write_bytes(decoder.read_bytes()[:-100])
    with pytest.raises(DamagedError, match=r"decoder\.keras is damaged"):
        Captioner.load(folder)
