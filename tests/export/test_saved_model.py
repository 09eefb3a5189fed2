"""An exported model needs TensorFlow alone, says what the captioner says, and is the same bytes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from untrained_captioner import SIZE, WORDS, write_model

from captioning.captioner import Captioner
from captioning.export.graph import NO_CAPTION
from captioning.export.pictures import EMPTY
from captioning.model.bundle import load_bundle
from captioning.model_card.card import CARD_FILE, CardFacts, write_card
from captioning.text import WordVocabulary

pytestmark = pytest.mark.slow

# Loads and uses the model. TensorFlow imports Keras, so that Keras is taken away afterwards.
WITHOUT_THIS_PROJECT = """
import json, sys
import tensorflow as tf

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("captioning", "keras", "PIL"):
            raise ImportError(name + " must not be needed")

for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
    del sys.modules[name]
sys.meta_path.insert(0, Forbidden())
model = tf.saved_model.load(sys.argv[1])
files = tf.stack([tf.io.read_file(path) for path in sys.argv[2:]])
answer = model.signatures["serving_default"](image_bytes=files)
assert "captioning" not in sys.modules
print(json.dumps([caption.decode() for caption in answer["caption"].numpy()]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vocabulary = WordVocabulary.fit(WORDS, 100)
    # The model says words as often as they are here, so that its captions are not empty.
    said = ["dog dog dog dog dog a red"]
    folder = write_model(tmp_path_factory.mktemp("model"), vocabulary, said)
    source = load_bundle(folder).source
    images = {"train": 2, "validation": 1, "test": 1}
    settings = {"train": {"seed": 1}}
    write_card(
        folder,
        CardFacts(
            "folder",
            images,
            **source,
            vocabulary_size=len(vocabulary),
            parameters=1000,
            validation={"val_accuracy": 0.5},
            settings=settings,
        ),
    )
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files in several formats; of two of them, the pixels must be resized."""
    folder, chance = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths = [folder / name for name in ("a.png", "b.jpg", "c.bmp")]
    for number, path in enumerate(paths):
        noise = chance.integers(0, 256, (8, 8, 3), np.uint8)
        size = (SIZE + 30 * number, SIZE)
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path)
    return paths


def _export(model: Path, out: Path, *options: str, seed: str = "0") -> None:
    """Export in a process of its own, with a seed of Python's hashes."""
    command = [sys.executable, "-m", "captioning", "export", str(out), "--model", str(model)]
    subprocess.run([*command, *options], check=True, env={**os.environ, "PYTHONHASHSEED": seed})


@pytest.fixture(scope="module")
def exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "1"
    _export(model, out)
    return out


@pytest.fixture(scope="module")
def signatures(exported: Path):
    return tf.saved_model.load(str(exported)).signatures


def _files(paths: list[Path]) -> tf.Tensor:
    return tf.constant([path.read_bytes() for path in paths])


def test_the_same_model_gives_the_same_bytes(model: Path, exported: Path, tmp_path: Path) -> None:
    _export(model, tmp_path / "again", seed="1")
    contents = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (exported, tmp_path / "again")
    ]
    assert contents[0] == contents[1]
    assert Path("saved_model.pb") in contents[0]
    stored = b"".join(contents[0].values())
    for secret in (Path.cwd(), exported, model, Path(sys.prefix)):
        assert os.fsencode(secret) not in stored


def test_the_model_needs_only_tensorflow(
    model: Path, exported: Path, pictures: list[Path], tmp_path: Path
) -> None:
    command = [sys.executable, "-I", "-c", WITHOUT_THIS_PROJECT, str(exported)]
    done = subprocess.run(
        [*command, *map(str, pictures)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = [caption.text for caption in Captioner.load(model)(pictures)]
    assert json.loads(done.stdout) == expected


def test_answers_are_those_of_the_captioner(model: Path, signatures, pictures: list[Path]) -> None:
    answer = signatures["serving_default"](image_bytes=_files(pictures))
    longest = max(len(caption.words) for caption in Captioner.load(model)(pictures))
    assert longest > 1 and len(set(answer["log_probability"].numpy())) == 3
    assert answer["tokens"].shape == (3, 8)
    assert answer["words"].shape == (3, longest)
    assert answer["attention"].shape == (3, longest, 2, 2)
    assert answer["error"].numpy().tolist() == [b"", b"", b""]
    for number, caption in enumerate(Captioner.load(model)(pictures)):
        words = [word.decode() for word in answer["words"][number].numpy() if word]
        assert tuple(words) == caption.words
        assert answer["caption"][number].numpy().decode() == caption.text
        log_probability = answer["log_probability"][number].numpy()
        assert log_probability == pytest.approx(caption.log_probability, abs=1e-4)
        maps = answer["attention"][number].numpy()
        np.testing.assert_allclose(maps[: len(words)], caption.attention, atol=1e-5)
        assert (maps[len(words) :] == 0).all()


def test_pixels_and_files_of_a_picture_have_the_same_answer(
    signatures, pictures: list[Path]
) -> None:
    for path in pictures:
        pixels = np.asarray(Image.open(path))[None]
        expected = signatures["serving_default"](image_bytes=_files([path]))
        for name, value in signatures["pixels"](pixels=tf.constant(pixels)).items():
            np.testing.assert_array_equal(value, expected[name], name)


def test_a_picture_that_cannot_be_used_leaves_the_others_alone(
    signatures, pictures: list[Path]
) -> None:
    alone = signatures["serving_default"](image_bytes=_files(pictures[:1]))
    files = tf.constant([b"", pictures[0].read_bytes(), b"no picture"])
    answer = signatures["serving_default"](image_bytes=files)
    assert answer["caption"][1] == alone["caption"][0]
    assert answer["error"][0].numpy().decode() == EMPTY
    assert answer["error"][1].numpy() == b""
    for bad in (0, 2):
        assert answer["caption"][bad].numpy() == b"" and answer["error"][bad].numpy()
        assert answer["log_probability"][bad] == NO_CAPTION
        assert np.isfinite(answer["log_probability"][bad])
        assert not answer["tokens"][bad].numpy().any()
        assert not answer["attention"][bad].numpy().any()
        assert set(answer["words"][bad].numpy()) == {b""}


def test_the_code_in_the_model_card_captions_a_picture(
    model: Path,
    exported: Path,
    pictures: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = shutil.copytree(exported, tmp_path / "copy")
    shutil.copy(pictures[1], folder / "picture.jpg")
    card = (folder / CARD_FILE).read_text()
    assert "a beam search of width 3 and a length penalty of 1" in card
    monkeypatch.chdir(folder)
    exec(card.split("```python\n")[1].split("```")[0], {})
    caption, _, log_probability = capsys.readouterr().out.strip().rpartition(" ")
    (expected,) = Captioner.load(model)(pictures[1:2])
    assert caption == expected.text
    assert float(log_probability) == pytest.approx(expected.log_probability, abs=1e-3)


def test_greedy_decoding_can_be_exported(model: Path, pictures: list[Path], tmp_path: Path) -> None:
    _export(model, tmp_path / "greedy", "--decoder", "greedy")
    serve = tf.saved_model.load(str(tmp_path / "greedy")).signatures["serving_default"]
    captions = serve(image_bytes=_files(pictures))["caption"].numpy()
    expected = Captioner.load(model)(pictures, decoder="greedy")
    assert [caption.decode() for caption in captions] == [one.text for one in expected]


def test_saved_model_cli_shows_and_runs_the_model(
    exported: Path, pictures: list[Path], tmp_path: Path
) -> None:
    tool = Path(sys.executable).parent / "saved_model_cli"
    shown = subprocess.run(
        [tool, "show", "--dir", exported, "--all"], capture_output=True, text=True, check=True
    ).stdout
    for text in ("signature_def['serving_default']", "signature_def['pixels']", "image_bytes"):
        assert text in shown
    pixels = np.asarray(Image.open(pictures[0]))[None]
    np.save(tmp_path / "pixels.npy", pixels)
    options = ["--tag_set", "serve", "--signature_def", "pixels"]
    given = ["--inputs", f"pixels={tmp_path / 'pixels.npy'}", "--outdir", tmp_path]
    subprocess.run([tool, "run", "--dir", exported, *options, *given], check=True)
    expected = tf.saved_model.load(str(exported)).signatures["pixels"](pixels=tf.constant(pixels))
    caption = np.load(io.BytesIO((tmp_path / "caption.npy").read_bytes()), allow_pickle=True)
    assert caption.tolist() == expected["caption"].numpy().tolist()
