"""Curves for TensorBoard and DVCLive: the figures of the CSV, also of resumed runs."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event
from tiny_training import PARAMS, make_batches, make_decoder

from captioning.core.errors import InputError
from captioning.training.curves import Validation
from captioning.training.data import MeasuredBatches
from captioning.training.fit import fit
from captioning.training.live_curves import live_curves

ROWS = [
    {"report": 1, "step": 4, "epoch": 1.0, "loss": 2.5, "learning_rate": 0.001},
    {"report": 2, "step": 8, "epoch": 2.0, "loss": 1.25, "learning_rate": 0.0},
]


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The steps and values of every scalar in the event files of a folder."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = Event.FromString(record)
            for value in event.summary.value:
                scalar = float(tf.make_ndarray(value.tensor))
                found.setdefault(value.tag, []).append((event.step, scalar))
    return found


def curves_in(path: Path) -> dict[str, list[tuple[int, float]]]:
    """The same of a CSV with learning curves."""
    table = pd.read_csv(path).astype({"step": int})
    names = [name for name in table if name not in ("report", "step")]
    return {name: list(zip(table["step"], table[name], strict=True)) for name in names}


def assert_same(found, expected) -> None:
    assert list(found) == list(expected)
    for name, points in expected.items():
        np.testing.assert_allclose(found[name], points, rtol=1e-6)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("CAPTIONING_TENSORBOARD", "CAPTIONING_DVCLIVE", "DVC_EXP_NAME"):
        monkeypatch.delenv(variable, raising=False)


def test_nothing_is_written_by_default(tmp_path):
    assert live_curves("training") == []
    assert list(tmp_path.iterdir()) == []


def test_event_files_hold_every_figure_once_and_appear_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_TENSORBOARD", "logs")
    (live,) = live_curves("training")
    folder = tmp_path / "logs/workspace/training"
    for number in (0, 1, 1, 2):
        live.show(ROWS[:number])
        assert len(events(folder).get("loss", [])) == number
    assert_same(
        events(folder),
        {
            "epoch": [(4, 1), (8, 2)],
            "loss": [(4, 2.5), (8, 1.25)],
            "learning_rate": [(4, 0.001), (8, 0)],
        },
    )


def test_another_run_replaces_the_event_files_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_TENSORBOARD", "logs")
    live_curves("training")[0].show(ROWS)
    (tmp_path / "logs/workspace/training/notes.txt").write_text("mine")
    live_curves("training")[0].show(ROWS[:1])
    assert events(tmp_path / "logs/workspace/training")["loss"] == [(4, 2.5)]
    assert (tmp_path / "logs/workspace/training/notes.txt").read_text() == "mine"


def test_an_experiment_has_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_TENSORBOARD", str(tmp_path / "apart"))
    monkeypatch.setenv("DVC_EXP_NAME", "deep-1")
    live_curves("rewards")[0].show(ROWS)
    assert len(events(tmp_path / "apart/deep-1/rewards")["loss"]) == 2


class KilledError(Exception):
    """Stands for a kill."""


def train(folder: Path, killed_at: int = 0):
    """Train for six epochs; the weights, the outcome and the CSV."""

    def measure(self, epoch, logs=None, measure=Validation.on_epoch_end):
        if epoch + 1 == killed_at:
            raise KilledError
        measure(self, epoch, logs)

    decoder = make_decoder(dropout=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Validation, "on_epoch_end", measure)
        result = fit(
            decoder,
            params=PARAMS.train.model_copy(update={"epochs": 6, "warmup_epochs": 1.0}),
            batches=make_batches().repeat(),
            measured=MeasuredBatches(make_batches(), make_batches()),
            steps_per_epoch=2,
            curves=folder / "training.csv",
            checkpoint=folder / "checkpoint.npz",
        )
    return decoder.get_weights(), result, (folder / "training.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("from_the_start", [True, False])
def test_an_interrupted_run_has_all_curves_and_the_same_results(
    tmp_path, monkeypatch, from_the_start
):
    expected = train(tmp_path / "plain")
    logs = tmp_path / "logs/workspace/training"
    if from_the_start:
        monkeypatch.setenv("CAPTIONING_TENSORBOARD", "logs")
    with pytest.raises(KilledError):
        train(tmp_path / "live", killed_at=4)
    assert len(events(logs).get("loss", [])) == (3 if from_the_start else 0)
    monkeypatch.setenv("CAPTIONING_TENSORBOARD", "logs")
    found = train(tmp_path / "live")
    assert_same(events(logs), curves_in(tmp_path / "live/training.csv"))
    for one, other in zip(expected[0], found[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[1:] == expected[1:]


@pytest.mark.parametrize("variable", ["CAPTIONING_TENSORBOARD", "CAPTIONING_DVCLIVE"])
@pytest.mark.parametrize("folder", ["data", "metrics/logs", "logs/../data/model"])
def test_a_folder_among_the_results_is_refused(monkeypatch, variable, folder):
    monkeypatch.setenv(variable, folder)
    with pytest.raises(InputError, match=f"{variable} is {folder}, a place for results .*logs$"):
        live_curves("training")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, monkeypatch):
    (tmp_path / "logs").write_text("a file")
    monkeypatch.setenv("CAPTIONING_TENSORBOARD", "logs")
    with pytest.raises(InputError, match="TENSORBOARD is logs: cannot create the folder logs/work"):
        live_curves("training")


def test_dvclive_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("CAPTIONING_DVCLIVE", "logs")
    monkeypatch.setitem(sys.modules, "dvclive", None)
    with pytest.raises(InputError, match=r"DVCLive is not installed: run `pip .*'.\[live\]'`"):
        live_curves("training")


def test_dvclive_has_every_figure_by_step_and_nothing_that_dvc_tracks(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_DVCLIVE", "logs")
    for rows in (ROWS[:1], ROWS):  # The second run replaces the files of the first.
        (live,) = live_curves("training")
        live.show(rows[:1])
        live.show(rows)
    folder = tmp_path / "logs/workspace/training"
    with (folder / "plots/metrics/loss.tsv").open() as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    assert [(int(row["step"]), float(row["loss"])) for row in rows] == [(4, 2.5), (8, 1.25)]
    last = json.loads((folder / "metrics.json").read_text())
    assert last["loss"] == 1.25 and last["step"] == 8
    assert list(tmp_path.rglob("dvc.yaml")) == []
