"""What `captioning caption` says of the model and of unfamiliar pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from untrained_captioner import SIZE, WORDS, write_model

from captioning.captioner import Captioner
from captioning.cli.familiarity_notes import FamiliarityNotes
from captioning.cli.main import main
from captioning.model.bundle import Bundle
from captioning.model.familiarity import Familiarity, pooled
from captioning.text import WordVocabulary

KNOWN = Familiarity(np.ones(4, "float32"), np.ones((2, 4), "float32"), np.array(1, "float32"))


def lines(capsys, unfamiliar: int) -> list[str]:
    """What is printed for so many unfamiliar pictures, and as many others."""
    notes = FamiliarityNotes(Bundle(None, None, {}, "scenes", KNOWN))  # type: ignore[arg-type]
    for index in range(unfamiliar):
        notes.see(f"{index}.png", True)
        notes.see("familiar.png", False)
        notes.see("unknown.png", None)
    notes.close()
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


def test_the_model_is_described_once_and_familiar_pictures_are_not_named(capsys):
    assert lines(capsys, 0) == [
        "note: this model was trained on the data set scenes (drawn pictures of a few colored "
        "shapes on simple backgrounds). Pictures unlike those of training are marked; their "
        "captions may be wrong."
    ]


@pytest.mark.parametrize(
    ("unfamiliar", "last"),
    [
        (5, "warning: 4.png is unlike the pictures of training: its caption may be wrong"),
        (6, "warning: 1 more picture is unlike those of training"),
        (1205, "warning: 1,200 more pictures are unlike those of training"),
    ],
)
def test_five_pictures_are_named_and_the_others_counted(capsys, unfamiliar, last):
    found = lines(capsys, unfamiliar)
    assert len(found) == 1 + min(unfamiliar, 6)
    assert found[-1] == last


@pytest.mark.slow
def test_the_command_warns_and_marks_the_rows(tmp_path, capsys):
    folder = write_model(tmp_path / "model", WordVocabulary.fit(WORDS, 100, 1), WORDS)
    Image.new("RGB", (90, 60), "white").save(tmp_path / "plain.png")
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    names = [str(tmp_path / name) for name in ("plain.png", "noise.png")]
    captioner = Captioner.load(folder)
    mean = pooled(captioner.features(names[:1]))[0]
    none = np.zeros((0, len(mean)), np.float32)
    known = Familiarity(mean, none, np.array(0.1, np.float32))
    captioner._replace(dataset="folder", familiarity=known).save(folder)
    assert main(["caption", *names, "--model", str(folder), "--json"]) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert [row["unfamiliar"] for row in rows] == [False, True]
    assert "note: this model was trained on the data set folder" in printed.err
    assert "noise.png is unlike" in printed.err and "plain.png" not in printed.err
