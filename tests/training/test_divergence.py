"""Training stops at the first report that is not finite, and keeps what was good."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_training import PARAMS, make_batches, make_decoder

from captioning.core.errors import InputError
from captioning.training.data import MeasuredBatches
from captioning.training.divergence import DivergedError, FiniteReports, NotFiniteError
from captioning.training.fit import fit
from captioning.training.losses import token_cross_entropy
from captioning.training.summary import training_summary

MEASURED = MeasuredBatches(make_batches(), make_batches())
STEPS = 2


def spoiled(inputs, targets):
    return {**inputs, "features": inputs["features"] * np.nan}, targets


def run(folder: Path, good_epochs: int, decoder=None, **changes):
    """Train for up to five epochs, whose batches are good at first and then hold NaN."""
    decoder = make_decoder() if decoder is None else decoder
    good = make_batches().take(STEPS)
    batches = good.repeat(good_epochs).concatenate(good.map(spoiled).repeat())
    updates = {"epochs": 5, "learning_rate": 0.01, "warmup_epochs": 0.0, **changes}
    result = fit(
        decoder,
        params=PARAMS.train.model_copy(update=updates),
        batches=batches,
        measured=MEASURED,
        steps_per_epoch=STEPS,
        curves=folder / "training.csv",
        checkpoint=folder / "checkpoint.npz",
    )
    return decoder, result


@pytest.mark.slow
def test_the_best_weights_so_far_are_kept_with_advice(tmp_path, capsys):
    decoder, result = run(tmp_path, good_epochs=2)
    assert result.reports == 2
    printed = capsys.readouterr().out
    assert (
        "Stopped: the figures are not finite (Epoch 3: loss is nan): "
        "lower train.learning_rate (0.01)\n"
    ) in printed
    assert all(np.isfinite(w).all() for w in decoder.get_weights())
    # The curve ends with the last report that is finite.
    assert len((tmp_path / "training.csv").read_text().splitlines()) == 3
    summary = training_summary(decoder, np.ones(12, np.int64), result, None)
    json.dumps(summary, allow_nan=False)


@pytest.mark.slow
def test_the_kept_weights_are_those_of_the_best_report(tmp_path):
    decoder, result = run(tmp_path, good_epochs=2)
    assert result.best["report"] == 2
    assert fit_loss(decoder) == pytest.approx(result.best["val_cross_entropy"], rel=1e-5)


def fit_loss(decoder) -> float:
    """The validation cross-entropy of a decoder."""
    losses, count = 0.0, 0
    for inputs, targets in make_batches():
        values = np.asarray(token_cross_entropy(targets, decoder(inputs)))
        used = np.asarray(targets) > 0
        losses, count = losses + float((values * used).sum()), count + int(used.sum())
    return losses / count


@pytest.mark.slow
def test_a_run_that_stopped_so_is_not_trained_again(tmp_path, capsys):
    first, result = run(tmp_path, good_epochs=2)
    capsys.readouterr()
    again, resumed = run(tmp_path, good_epochs=0)
    assert resumed.reports == 2 and resumed.best == result.best
    assert "Epoch 3" not in capsys.readouterr().out
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_averaged_weights_are_kept_too(tmp_path):
    decoder, result = run(tmp_path, good_epochs=2, average_weights=0.5)
    assert result.reports == 2
    assert fit_loss(decoder) == pytest.approx(result.best["val_cross_entropy"], rel=1e-5)


@pytest.mark.slow
def test_without_any_good_report_the_stage_ends_with_advice(tmp_path):
    message = r"not finite \(Epoch 1: .* is (nan|inf)\): lower train.learning_rate \(1e\+30\)"
    with pytest.raises(DivergedError, match=message):
        run(tmp_path, good_epochs=5, learning_rate=1e30, clip_norm=None)
    with pytest.raises(InputError, match=r"\(Epoch 1: loss is nan\): lower train.learning_rate"):
        run(tmp_path / "other", good_epochs=0)


@pytest.mark.slow
def test_a_model_that_is_not_finite_before_training_is_refused(tmp_path):
    decoder = make_decoder()
    decoder.set_weights([w * np.nan for w in decoder.get_weights()])
    with pytest.raises(DivergedError, match="cross_entropy is nan before the first step"):
        run(tmp_path, good_epochs=5, decoder=decoder)


@pytest.mark.slow
def test_a_damaged_checkpoint_starts_again_with_a_warning(tmp_path, capsys):
    _, whole = run(tmp_path, good_epochs=5, epochs=3)
    path = tmp_path / "checkpoint.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    _, again = run(tmp_path, good_epochs=5, epochs=3)
    error = capsys.readouterr().err
    assert "checkpoint.npz is damaged (" in error
    assert error.endswith("): training starts from the beginning\n")
    assert again == whole


def test_infinite_weights_are_found_where_the_figures_are_finite_as_rewards_are():
    check = FiniteReports("Epoch", ["reward"], [])
    check.set_model(make_decoder())
    check.on_epoch_end(0, {"reward": tf.constant(1.0)})
    variable = check.model.trainable_variables[3]
    variable.assign(variable * np.inf)
    with pytest.raises(NotFiniteError, match=r"Epoch 1: the weights .* are not finite"):
        check.on_epoch_end(0, {"reward": 1.0})
