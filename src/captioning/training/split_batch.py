"""Trains on several parts of a batch in parallel.

On a CPU, the operations of a training step are too small to be shared well among cores: at the
beginning and the end of each, one core waits for the other, and data must move between their
caches. Parts of a batch need no exchange until their gradients are summed.

Legend: `B` images, `T` tokens, `V` vocabulary, `C` feature channels.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.model import CaptionDecoder
from captioning.training.losses import target_mask


class SplitBatch(keras.Model):
    """Trains a decoder in place, with each batch split into parts of about equal size.

    Loss and gradient are those of the whole batch, except for rounding and for the random numbers
    of dropout.

    Args:
        decoder: decoder to train, which owns all weights.
        parts: number of parts, at most the number of images in a batch.
    """

    def __init__(self, decoder: CaptionDecoder, parts: int) -> None:
        super().__init__(name="split_batch")
        self.decoder = decoder
        self.parts = parts
        # All weights are the decoder's, which is built.
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        """Logits, in training as a list with those of each part, float32 `[b, T, V]`.

        Otherwise they are joined, `[B, T, V]`.

        Args:
            inputs: `features` `[B, height, width, C]` and `tokens` int32 `[B, T]`.
            training: whether dropout is on.
        """
        split = {name: self._split(value) for name, value in inputs.items()}
        logits = [
            self.decoder({name: values[part] for name, values in split.items()}, training=training)
            for part in range(self.parts)
        ]
        return logits if training else ops.concatenate(logits)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The compiled loss of the whole batch, a mean over the targets that count.

        Args:
            y: targets int `[B, T]`.
            y_pred: logits as `call` returns them.
            x, sample_weight, training: not used.
        """
        if not isinstance(y_pred, list):
            return self.loss(y, y_pred)
        targets = self._split(y)
        counts = [ops.sum(ops.cast(target_mask(part), "float32")) for part in targets]
        losses = [self.loss(*pair) for pair in zip(targets, y_pred, strict=True)]
        total = ops.maximum(sum(counts), 1.0)
        return sum(loss * count / total for loss, count in zip(losses, counts, strict=True))

    def _split(self, batch: Any) -> list[Any]:
        """Split `[B, …]` into parts whose sizes differ by at most one."""
        size = ops.shape(batch)[0]
        ends = [size * part // self.parts for part in range(self.parts + 1)]
        return [batch[ends[part] : ends[part + 1]] for part in range(self.parts)]
