"""The output of a training run, in a log and on a terminal."""

from __future__ import annotations

import io
import re
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from tiny_training import PARAMS, make_batches, make_decoder

from captioning.training import progress
from captioning.training.data import MeasuredBatches
from captioning.training.fit import fit
from captioning.training.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch) -> None:
    """Ten seconds pass between one look at the clock and the next."""
    seconds = count(0, 10)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))


def report(bar: Progress, epoch: int, steps: int, **logs: float) -> None:
    bar.on_epoch_begin(epoch)
    for step in range(steps):
        bar.on_train_batch_end(step)
    bar.on_epoch_end(epoch, logs)


@pytest.mark.slow
def test_a_log_gets_one_line_a_report_with_the_figures_of_the_curves(tmp_path: Path, capsys):
    # So large a learning rate that training stops early.
    changes = {"learning_rate": 0.5, "schedule": "constant", "patience": 2, "epochs": 12}
    result = fit(
        make_decoder(),
        params=PARAMS.train.model_copy(update=changes),
        batches=make_batches().repeat(),
        measured=MeasuredBatches(make_batches(), make_batches()),
        steps_per_epoch=2,
        curves=tmp_path / "training.csv",
    )
    output, errors = capsys.readouterr()
    assert errors == ""
    *reports, stopped, best = output.splitlines()
    curves = pd.read_csv(tmp_path / "training.csv")
    assert len(reports) == len(curves) == result.reports
    for line, (_, row) in zip(reports, curves.iterrows(), strict=True):
        assert line.startswith(f"Epoch {row['report']:.0f}/12: ")
        figures = dict(re.findall(r"(\w+) (\d\.\d{4})", line))
        assert {name: float(value) for name, value in figures.items()} == pytest.approx(
            row[list(figures)].to_dict(), abs=6e-5
        )
        assert set(figures) == {"loss", *result.untrained}
        assert re.search(r" \((\d+ min )?\d+ s, at most (\d+ min )?\d+ s left\)$", line)
    assert stopped == "Stopped early: no better val_cross_entropy in 2 reports"
    number, figure = result.best["report"], result.best["val_cross_entropy"]
    assert best == (
        f"Epoch {number:g} had the best val_cross_entropy, {figure:.4f}: its weights are kept"
    )


def test_a_terminal_gets_a_bar_with_rate_and_time_left_that_makes_way_for_the_line(
    clock, monkeypatch, capsys
):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = Progress("Epoch", reports=2, steps=3, columns=["loss"])
    bar.on_train_begin()
    report(bar, 0, 3, loss=1.5)
    bars = terminal.getvalue().split("\r")
    assert re.search(r"Epoch 1/2: +0%.*0/3 \[00:00<\?, \? steps/s\]", bars[1])
    assert bars[-1] == "" and bars[-2].strip() == ""
    assert "\n" not in terminal.getvalue()
    assert capsys.readouterr().out == "Epoch 1/2: loss 1.5000 (10 s, at most 20 s left)\n"


def test_a_resumed_run_says_where_it_resumes_and_counts_on(clock, capsys):
    bar = Progress("Report", reports=5, steps=1, columns=["loss"], resumed=3)
    bar.on_train_begin()
    report(bar, 3, 1, loss=0.25)
    report(bar, 4, 1, loss=0.125)
    assert capsys.readouterr().out.splitlines() == [
        "Resuming after report 3/5",
        "Report 4/5: loss 0.2500 (10 s, at most 20 s left)",
        "Report 5/5: loss 0.1250 (10 s)",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (12_000, "3 h 20 min")],
)
def test_durations_are_given_in_two_units_at_most(seconds, text):
    assert duration(seconds) == text
