"""Losses, optimizer, learning rates and small training runs."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tiny_training import PARAMS, VOCABULARY, make_batches, make_decoder

from captioning.model.output import TokenLogits
from captioning.text import BANNED
from captioning.training.curves import Validation
from captioning.training.data import MeasuredBatches
from captioning.training.fit import compiled, fit
from captioning.training.losses import MaskedCrossEntropy, TokenAccuracy, TokenCrossEntropy
from captioning.training.optimizer import make_optimizer
from captioning.training.split_batch import SplitBatch

MEASURED = MeasuredBatches(make_batches(), make_batches())


def run_fit(tmp_path: Path, **changes):
    settings = PARAMS.train.model_copy(
        update={"epochs": 30, "learning_rate": 1e-2, "warmup_epochs": 0.0, **changes}
    )
    decoder = make_decoder()
    tmp_path.mkdir(exist_ok=True)
    curves = tmp_path / "training.csv"
    result = fit(
        decoder,
        params=settings,
        batches=make_batches().repeat(),
        measured=MEASURED,
        steps_per_epoch=2,
        curves=curves,
    )
    return decoder, result, pd.read_csv(curves)


def test_the_loss_leaves_out_padding_and_unknown_words():
    logits = np.random.default_rng(0).normal(size=(1, 4, VOCABULARY)).astype("float32")
    logits[..., list(BANNED)] = -1e9
    targets = np.array([[5, 1, 7, 0]])
    log_p = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits))
    expected = -(log_p[0, 0, 5] + log_p[0, 2, 7]) / 2
    assert float(MaskedCrossEntropy()(targets, logits)) == pytest.approx(expected, rel=1e-5)
    metric = TokenCrossEntropy()
    metric.update_state(targets, logits)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_spreads_over_allowed_tokens_only():
    logits = np.random.default_rng(0).normal(size=(1, 1, VOCABULARY)).astype("float32")
    logits[..., list(BANNED)] = -1e9
    log_p = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits))[0, 0, 3:]
    expected = -(0.9 * log_p[4] + 0.1 * log_p.mean())
    found = float(MaskedCrossEntropy(0.1)(np.array([[7]]), logits))
    assert found == pytest.approx(expected, rel=1e-4)


def test_accuracy_leaves_out_padding_and_unknown_words():
    logits = np.zeros((1, 3, VOCABULARY), "float32")
    logits[0, 0, 5] = logits[0, 1, 6] = logits[0, 2, 0] = 1
    metric = TokenAccuracy()
    metric.update_state(np.array([[5, 7, 0]]), logits)
    assert float(metric.result()) == 0.5


@pytest.mark.slow
def test_untrained_loss_is_the_entropy_of_the_output_bias(tmp_path):
    _, result, _ = run_fit(tmp_path, epochs=1)
    entropy = np.log(VOCABULARY - len(BANNED))
    assert result.untrained["val_cross_entropy"] == pytest.approx(entropy, rel=0.05)


@pytest.mark.slow
def test_fit_learns_and_writes_the_curves(tmp_path):
    _, result, curves = run_fit(tmp_path, patience=None)
    assert result.best["val_accuracy"] == 1
    assert list(curves.columns) == [
        "report",
        "step",
        "epoch",
        "loss",
        "cross_entropy",
        "accuracy",
        "val_cross_entropy",
        "val_accuracy",
        "learning_rate",
    ]
    assert curves["step"].tolist() == [2 * n for n in range(1, 31)]


@pytest.mark.slow
# A batch has 8 images: parts of equal size, of unequal sizes, and of one image each.
@pytest.mark.parametrize("parts", [2, 3, 8])
def test_split_batches_train_like_whole_ones(tmp_path, parts):
    whole, split = (
        run_fit(tmp_path / str(n), parts=n, epochs=5, label_smoothing=0.1) for n in (1, parts)
    )
    for one, other in zip(whole[0].get_weights(), split[0].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(whole[2], split[2], rtol=1e-4)


def test_a_part_weighs_as_much_as_it_has_targets():
    decoder = make_decoder()
    features, captions = next(iter(make_batches(batch=4)))
    targets = captions.numpy()
    targets[:2, 1:] = 0  # Captions of the first part have one target, the others three.
    loss = MaskedCrossEntropy(0.1)
    model = SplitBatch(decoder, 2)
    model.compile(loss=loss)
    expected = float(loss(targets, decoder(features)))
    found = float(model.compute_loss(y=targets, y_pred=model(features, training=True)))
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_output_kernel_gets_the_gradient_of_a_matrix_product():
    random = np.random.default_rng(0)
    x, kernel, towards = (random.normal(size=s).astype("float32") for s in ((6, 4), (9, 4), (6, 9)))
    layer = TokenLogits(9, tied=True)
    layer.build((None, None, 4))
    variables = tf.Variable(x[None]), tf.Variable(kernel)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(*variables) * towards)
    found = tape.gradient(total, variables)
    np.testing.assert_allclose(found[0][0], towards @ kernel, rtol=1e-5)
    np.testing.assert_allclose(found[1], towards.T @ x, rtol=1e-5)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(tmp_path):
    first, second = (run_fit(tmp_path, epochs=3)[0] for _ in range(2))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("average", [None, 0.5])
def test_early_stopping_leaves_the_best_weights(tmp_path, average):
    # With such a large learning rate the model gets worse after a while.
    decoder, result, curves = run_fit(
        tmp_path, learning_rate=0.3, patience=2, schedule="constant", average_weights=average
    )
    assert result.reports < 30
    best = curves["val_cross_entropy"].min()
    validation = Validation(MEASURED)
    validation.set_model(decoder)
    validation.on_train_begin()
    assert validation.rows[0]["val_cross_entropy"] == pytest.approx(best, rel=1e-4)


@pytest.mark.slow
def test_reports_are_made_every_report_every_steps(tmp_path):
    _, result, curves = run_fit(tmp_path, epochs=3, report_every=3)
    assert curves["step"].tolist() == [3, 6]
    assert result.reports == 2


@pytest.mark.slow
def test_a_report_is_made_after_the_last_epoch_if_reports_are_rarer(tmp_path):
    _, result, curves = run_fit(tmp_path, epochs=3, report_every=1000)
    assert curves["step"].tolist() == [6]
    assert curves["epoch"].tolist() == [3]
    assert result.reports == 1


def test_schedules_warm_up_then_stay_or_decay():
    def rates(schedule: str) -> list[float]:
        settings = PARAMS.train.model_copy(
            update={"schedule": schedule, "epochs": 4, "warmup_epochs": 1.0, "learning_rate": 0.1}
        )
        rate = compiled(make_decoder(), settings, steps_per_epoch=10, jit_compile=False)
        rate = rate.optimizer._learning_rate
        return [float(rate(step)) for step in (0, 5, 10, 25, 40)]

    assert rates("constant") == pytest.approx([0, 0.05, 0.1, 0.1, 0.1], abs=1e-6)
    assert rates("cosine") == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_and_its_gradient_equal_those_of_automatic_differentiation(smoothing):
    random = np.random.default_rng(0)
    logits = tf.Variable(random.normal(size=(2, 5, VOCABULARY)).astype("float32"))
    targets = tf.constant([[5, 1, 7, 3, 0], [4, 4, 11, 0, 0]])
    allowed = np.arange(VOCABULARY) > max(BANNED)
    spread = tf.constant(allowed / allowed.sum() * smoothing, "float32")

    def automatic():
        expected = tf.one_hot(targets, VOCABULARY) * (1 - smoothing) + spread
        losses = -tf.reduce_sum(expected * tf.nn.log_softmax(logits), axis=-1)
        return tf.reduce_mean(tf.boolean_mask(losses, ~np.isin(targets, BANNED)))

    found, expected = [], []
    for function, results in (
        (lambda: MaskedCrossEntropy(smoothing)(targets, logits), found),
        (automatic, expected),
    ):
        with tf.GradientTape() as tape:
            loss = 3 * function()
        results += [loss, tape.gradient(loss, logits)]
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_the_fused_optimizer_equals_keras_adamw(clip_norm):
    ours = make_optimizer(learning_rate=1e-3, steps=80, weight_decay=0.01, clip_norm=clip_norm)
    theirs = keras.optimizers.AdamW.from_config(ours.get_config())
    theirs.exclude_from_weight_decay(var_names=["table"])
    ours.exclude_from_weight_decay(var_names=["table"])
    random = np.random.default_rng(0)
    start = [random.normal(size=shape).astype("float32") for shape in ((6, 4), (4,), (9, 4))]
    names = ("kernel", "scale", "table")
    ends = []
    for optimizer in (ours, theirs):
        # Keras squares rows of the same index before it adds them; it should add them first.
        table_gradient = tf.convert_to_tensor if optimizer is theirs else lambda rows: rows
        weights = [keras.Variable(v, name=n) for v, n in zip(start, names, strict=True)]
        optimizer.build(weights)
        for step in range(5):
            dense = [tf.constant(v * (step - 2)) for v in start[:2]]
            found = tf.ones((3, 4)) * step
            rows = tf.IndexedSlices(found, tf.constant([1, 5, 1]), tf.constant([9, 4]))
            optimizer.apply([*dense, table_gradient(rows)], weights)
        ends.append([keras.ops.convert_to_numpy(weight) for weight in weights])
    for found, expected in zip(*ends, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
