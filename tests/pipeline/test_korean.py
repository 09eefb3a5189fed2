"""The whole pipeline on captions in Korean: small archives in Flickr8k's layout, made here."""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from flickr8k_release import release
from PIL import Image, ImageDraw
from small_repository import make_repository, run

from captioning.captioner import Captioner
from captioning.core.files import read_json
from captioning.evaluation.predictions import read_predictions
from captioning.text import SubwordVocabulary

pytestmark = [pytest.mark.slow, pytest.mark.long]

COLOURS = {"빨간": "red", "파란": "blue", "노란": "yellow", "초록": "green"}
# With the particles that go with them, "a circle is" and "a circle, and".
SHAPES = {
    "원": ("원이", "원과"),
    "사각형": ("사각형이", "사각형과"),
    "삼각형": ("삼각형이", "삼각형과"),
}
SIZES = {"train": 48, "validation": 8, "test": 8}
SETTINGS = {
    "dataset": "flickr8k",
    "download.shards": 1,
    "vocabulary.kind": "subword",
    "vocabulary.max_size": 64,
    "model.units": 32,
    "model.dropout": 0.0,
    "model.residual_dropout": 0.0,
    "train.epochs": 40,
    "train.report_every": 120,
    "train.captions_per_image": None,
    "train.learning_rate": 0.01,
    "train.label_smoothing": 0.0,
    "evaluate.tokenizer": "ko-mecab",
    "evaluate.decoder": "greedy",
    "train.warmup_epochs": 1.0,
    "train.threads": 8,
    "train.parts": 1,
}


def picture(colour: str, shape: str) -> bytes:
    image = Image.new("RGB", (64, 64), "white")
    draw = ImageDraw.Draw(image)
    if shape == "원":
        draw.ellipse((8, 8, 56, 56), fill=COLOURS[colour])
    elif shape == "사각형":
        draw.rectangle((8, 8, 56, 56), fill=COLOURS[colour])
    else:
        draw.polygon([(32, 6), (58, 58), (6, 58)], fill=COLOURS[colour])
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def captions(colour: str, shape: str) -> Iterator[str]:
    subject, joined = SHAPES[shape]
    yield f"{colour} {subject} 있습니다."
    yield f"그림에 {colour} {joined} 하얀 바탕이 있다!"


def archives(folder: Path) -> dict[str, object]:
    """Write both archives; return the params that name them."""
    choose = random.Random(1)
    images, lines, splits = {}, [], {split: [] for split in SIZES}
    for split, size in SIZES.items():
        for number in range(size):
            name = f"{split}-{number}.jpg"
            colour, shape = choose.choice([*COLOURS]), choose.choice([*SHAPES])
            images[f"Flicker8k_Dataset/{name}"] = picture(colour, shape)
            lines += [f"{name}#{i}\t{said}\n" for i, said in enumerate(captions(colour, shape))]
            splits[split].append(f"{name}\n")
    names = {"train": "train", "validation": "dev", "test": "test"}
    text = {f"Flickr_8k.{names[s]}Images.txt": "".join(splits[s]).encode() for s in SIZES}
    text["Flickr8k.token.txt"] = "".join(lines).encode()
    params = release(folder, images, text)
    return {f"datasets.flickr8k.{key}": value for key, value in params.model_dump().items()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Reproduced once."""
    folder = tmp_path_factory.mktemp("korean")
    settings = {**SETTINGS, **archives(folder / "source")}
    root = make_repository(folder / "repository", **settings)
    cache = str(folder / "cache")
    run(root, sys.executable, "-m", "dvc", "repro", CAPTIONING_CACHE=cache, LC_ALL="C.UTF-8")
    return root


def is_korean(text: str) -> bool:
    return bool(text) and all(c == " " or "가" <= c <= "힣" for c in text)


def test_captions_are_korean_and_mostly_right(repository):
    predictions = read_predictions(repository / "data/predictions.jsonl")
    assert len(predictions) == SIZES["test"]
    assert all(is_korean(row.caption) for row in predictions)
    # Spaces are where people put them.
    forms = [form for both in SHAPES.values() for form in both]
    known = {*COLOURS, *forms, "그림에", "하얀", "바탕이", "있다", "있습니다"}
    assert {word for row in predictions for word in row.caption.split()} <= known
    right = [row for row in predictions if set(named(row.caption)) & set(named(*row.references))]
    # Guessing would find one in twelve; one in four shows what never occurs in training.
    assert len(right) >= SIZES["test"] / 2


def named(*captions: str) -> list[str]:
    """Colours with the shape after them."""
    pairs = [pair for caption in captions for pair in pairwise(caption.split())]
    return [" ".join(pair) for pair in pairs if pair[0] in COLOURS]


def test_figures_follow_the_pieces_and_the_characters(repository):
    vocabulary = read_json(repository / "metrics/vocabulary.json")
    assert 40 < vocabulary["size"] <= 64 and vocabulary["coverage"] == 1
    assert vocabulary["out_of_vocabulary_rate"]["test"] == 0
    untrained = read_json(repository / "metrics/train.json")["untrained"]
    assert untrained["val_cross_entropy"] == pytest.approx(untrained["marginal_entropy"], abs=0.3)
    figures = read_json(repository / "metrics/evaluate.json")
    assert figures["bleu_4"] > 0.5 and figures["cider_d"] > 1
    # Characters are counted, not words.
    assert figures["caption_length"] > 8
    assert "|tok:ko-mecab" in read_json(repository / "data/scores.json")["signature"]


def test_the_model_alone_captions_a_picture(repository, tmp_path):
    model = Captioner.load(repository / "data/model")
    assert isinstance(model.vocabulary, SubwordVocabulary)
    path = tmp_path / "원.jpg"
    path.write_bytes(picture("빨간", "원"))
    command = (sys.executable, "-m", "captioning", "caption", str(path), "--json")
    folder = str(repository / "data/model")
    printed = run(tmp_path, *command, "--model", folder, "--attention", "out.png", errors=False)
    assert is_korean(json.loads(printed)["caption"])
    assert Image.open(tmp_path / "out.png").width > 500


def test_samples_and_pictures_are_there(repository):
    lines = (repository / "data/train_samples.jsonl").read_text(encoding="utf-8").splitlines()
    said = json.loads(lines[-1])
    assert all(is_korean(text) for text in (*said["references"], said["captions"]["0"]))
    assert len(list((repository / "metrics/captions").glob("*.png"))) == 2
