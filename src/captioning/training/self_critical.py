"""Self-critical sequence training: the decoder learns from the rewards of captions it samples.

The method is that of Rennie et al. 2017, "Self-critical Sequence Training for Image Captioning".
The baseline is the mean reward of the image's other captions (Luo 2020, "A Better Variant of
Self-Critical Sequence Training").

Legend: `B` images, `N` captions sampled for an image, `R` references of an image, `T` tokens, `C`
feature channels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from captioning.decoding.sampler import Sampler
from captioning.decoding.settings import DecodingSettings
from captioning.model import CaptionDecoder
from captioning.params.stages import TrainParams
from captioning.training.curves import CurveWriter
from captioning.training.data import TrainingData
from captioning.training.divergence import DivergedError
from captioning.training.loop import FitResult, ReportPlan, run
from captioning.training.losses import weighted_cross_entropy
from captioning.training.optimizer import make_optimizer
from captioning.training.rewards import CaptionReward
from captioning.training.samples import SampleCaptions


class SelfCritical(keras.Model):
    """Trains a decoder in place, with batches of `batches.reference_batches`.

    `fit` logs `reward`, the mean reward of the sampled captions, and `val_reward`, that of greedy
    captions. Captions are sampled without dropout; the training step has the decoder's dropout.

    Args:
        decoder: decoder that has been trained on captions.
        reward: function that computes the rewards of captions.
        captions: number of captions sampled for each image, `N`, at least 2.
        seed: random seed for sampling.
    """

    def __init__(
        self, decoder: CaptionDecoder, reward: CaptionReward, captions: int, seed: int
    ) -> None:
        super().__init__(name="self_critical")
        self.decoder = decoder
        self.sampler = Sampler(decoder, DecodingSettings("sample"), captions)
        self.greedy = Sampler(decoder, DecodingSettings("greedy"))
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.reward = reward
        self.captions = captions
        self.mean_reward = keras.metrics.Mean("reward")
        # All weights are the decoder's, which is built.
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Greedy captions int32 `[B, 1, T]` for feature maps `[B, height, width, C]`."""
        return self.greedy({"features": inputs})["tokens"]

    def train_step(self, data: Any) -> dict[str, Any]:
        """Sample captions and make those with higher rewards more likely."""
        features, references = data
        sampled = self.sampler.draw(self._sampling_inputs(features))["tokens"]
        rewards = self._rewards(sampled, references)
        others = (tf.reduce_sum(rewards, 1, keepdims=True) - rewards) / (self.captions - 1)
        inputs, targets, weights = pack_weighted(sampled, rewards - others)
        with tf.GradientTape() as tape:
            logits = self.decoder({"features": features, "tokens": inputs}, training=True)
            loss = weighted_cross_entropy(targets, logits, weights)
        variables = self.decoder.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.mean_reward.update_state(rewards)
        return {"reward": self.mean_reward.result()}

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure the reward of the greedy captions."""
        features, references = data
        self.mean_reward.update_state(self._rewards(self(features), references))
        return {"reward": self.mean_reward.result()}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics that Keras resets at the start of an epoch and of a validation."""
        return [self.mean_reward]

    def _sampling_inputs(self, features: Any) -> dict[str, Any]:
        """The sampler's inputs, with new random numbers in every step."""
        images = tf.shape(features)[0]
        shape = (images, self.captions, self.sampler.last_position)
        random = keras.random.uniform(shape, seed=self.seed_generator)
        ones = tf.ones(images)
        return {"features": features, "temperature": ones, "top_p": ones, "random": random}

    def _rewards(self, captions: Any, references: Any) -> Any:
        """Rewards float32 `[B, N]` of captions `[B, N, T]`, without a gradient."""
        rewards = tf.numpy_function(self.reward, (captions, references), tf.float32)
        return tf.ensure_shape(rewards, captions.shape[:2])


def pack_weighted(captions: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Pack the captions of each image into one sequence without padding between, for the decoder.

    Args:
        captions: token ids from `[START]`, padded with 0, int32 `[B, N, T]`.
        weights: weight of each caption, float32 `[B, N]`.

    Returns:
        Inputs int32, targets int32 (the tokens shifted by one position) and the weight of each
        target float32, all `[B, T']`, padded with 0.
    """
    rows = tf.shape(captions)[0]
    targets = captions[:, :, 1:]
    kept = tf.reshape(tf.not_equal(targets, 0), (rows, -1))

    def pack(values: Any) -> Any:
        return tf.ragged.boolean_mask(tf.reshape(values, (rows, -1)), kept).to_tensor()

    spread = tf.broadcast_to(weights[:, :, None], tf.shape(targets))
    return pack(captions[:, :, :-1]), pack(targets), pack(spread)


def refine(
    decoder: CaptionDecoder,
    *,
    params: TrainParams,
    data: TrainingData,
    curves: Path,
    samples: SampleCaptions | None = None,
    checkpoint: Path | None = None,
) -> FitResult | None:
    """Train on rewards; leave the weights whose greedy captions have the highest reward.

    Args:
        decoder: trained in place.
        params: the `train` section; its `self_critical` says how.
        data: its captions are the references.
        curves: path of the CSV with the learning curves; not written where `epochs` is 0.
        samples: captions sample images after every epoch.
        checkpoint: path of the training state; a run that finds one resumes from it.

    Returns:
        None where `self_critical.epochs` is 0. If even the first epoch's figures are not finite,
        no report is counted, and the decoder keeps the weights that it had.
    """
    settings = params.self_critical
    steps = data.steps_per_epoch
    if settings.epochs == 0:
        return None
    writer = CurveWriter(curves, ("reward", "val_reward"), steps, steps)
    reward = CaptionReward.fit(data.captions("train"), settings.bleu_weight)
    model = SelfCritical(decoder, reward, settings.captions, params.seed)
    optimizer = make_optimizer(
        learning_rate=settings.learning_rate,
        steps=settings.epochs * steps,
        weight_decay=params.weight_decay,
        clip_norm=params.clip_norm,
    )
    model.compile(optimizer=optimizer, jit_compile=False)
    before = model.get_weights()
    try:
        return run(
            model,
            batches=data.references("train", params.seed),
            plan=ReportPlan(
                title="Self-critical epoch",
                number=settings.epochs,
                steps=steps,
                monitor="val_reward",
                mode="max",
                patience=params.patience,
                remedy=f"lower train.self_critical.learning_rate ({settings.learning_rate:g})",
            ),
            writer=writer,
            recorders=[samples],
            checkpoint=checkpoint,
            validation_data=data.references("validation"),
        )
    except DivergedError as error:
        model.set_weights(before)
        print(f"warning: {error}; the weights before self-critical training are kept")
        return FitResult(best={}, reports=0, untrained={})
