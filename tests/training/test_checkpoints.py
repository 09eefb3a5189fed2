"""A training run that is interrupted and resumed ends like one that was not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tiny_training import PARAMS, make_batches, make_decoder

from captioning.text import SPECIAL_TOKENS, WordVocabulary
from captioning.training.checkpoints import Checkpoint
from captioning.training.curves import Validation
from captioning.training.data import MeasuredBatches
from captioning.training.examples import Examples
from captioning.training.fit import fit
from captioning.training.samples import SampleCaptions

VOCABULARY = WordVocabulary((*SPECIAL_TOKENS, *"abcdefgh"))
STEPS = 2
NO_SAMPLES = Examples([], np.zeros((0, 2, 2, 4), "float32"), [])
ONE_SAMPLE = Examples(["x"], np.zeros((1, 2, 2, 4), "float32"), [["a b"]])


class KilledError(Exception):
    """Stands for a kill."""


@contextmanager
def interrupted(report: int) -> Iterator[None]:
    """Interrupt a run while a report is being measured."""
    measure = Validation.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == report:
            raise KilledError
        measure(self, epoch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Validation, "on_epoch_end", on_epoch_end)
        yield


def run(folder: Path, cut: int = 0, examples=NO_SAMPLES, **changes):
    settings = PARAMS.train.model_copy(
        update={"epochs": 6, "learning_rate": 0.02, "warmup_epochs": 1.0, **changes}
    )
    decoder = make_decoder(dropout=0.2, residual_dropout=0.2)
    path = folder / "samples.jsonl"
    curves = folder / "training.csv"
    with interrupted(cut):
        result = fit(
            decoder,
            params=settings,
            batches=make_batches(batch=4).shuffle(4, seed=3).repeat(),
            measured=MeasuredBatches(make_batches(), make_batches()),
            steps_per_epoch=STEPS,
            curves=curves,
            samples=SampleCaptions(decoder, path, examples, VOCABULARY, 1, verbose=False),
            checkpoint=folder / "checkpoint.npz",
        )
    return decoder.get_weights(), result, curves.read_bytes(), path.read_bytes()


def reports_made(folder: Path) -> int:
    """Number of reports in the checkpoint in `folder`."""
    recorders = [SimpleNamespace(rows=[]) for _ in range(3)]
    stopper = keras.callbacks.EarlyStopping()
    return Checkpoint(folder / "checkpoint.npz", stopper, recorders).reports


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"examples": ONE_SAMPLE, "epochs": 4},
        {"average_weights": 0.5},
        {"learning_rate": 0.5, "patience": 2, "schedule": "constant", "epochs": 12},
        {"report_every": 3},
        {"parts": 2, "average_weights": 0.5, "epochs": 4},
    ],
    ids=["plain", "averaged weights", "early stopping", "reports between epochs", "split batches"],
)
def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path, changes):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = run(whole, **changes)
    for report in (2, 4):
        if report <= expected[1].reports:
            with pytest.raises(KilledError):
                run(cut, cut=report, **changes)
    found = run(cut, **changes)
    for one, other in zip(expected[0], found[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[1:] == expected[1:]


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(tmp_path):
    expected = run(tmp_path, epochs=3)
    # DVC removes a stage's outputs before it runs the stage again.
    (tmp_path / "training.csv").unlink()
    found = run(tmp_path, cut=1, epochs=3)
    for one, other in zip(expected[0], found[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[1:] == expected[1:]


@pytest.mark.slow
def test_finished_reports_are_not_trained_again(tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, cut=4)
    assert reports_made(tmp_path) == 3


@pytest.mark.slow
def test_a_half_written_checkpoint_is_not_used(tmp_path):
    with pytest.raises(KilledError):
        run(tmp_path, cut=3)
    whole = (tmp_path / "checkpoint.npz").read_bytes()
    (tmp_path / ".checkpoint.partial.npz").write_bytes(whole[: len(whole) // 2])
    assert reports_made(tmp_path) == 2
    assert run(tmp_path)[1].reports == 6
