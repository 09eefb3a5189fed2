"""Training on the parts of a batch side by side.

On a CPU, the operations of a train step are too small to share well among cores: each has a
beginning and an end where one core waits for the other, and what one has in its cache the other
needs. Parts of the batch need nothing of each other until their gradients are summed.

Legend: `B` images, `T` tokens, `V` vocabulary, `C` feature channels.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.model import CaptionDecoder
from captioning.training.losses import target_mask


class SplitBatch(keras.Model):
    """Trains a decoder in place, each batch in several parts of about as many images.

    Loss and gradient are those of the whole batch, but for the rounding of sums and for what
    dropout drops.

    Args:
        decoder: its weights are this model's.
        parts: of a batch, at most as many as it has images.
    """

    def __init__(self, decoder: CaptionDecoder, parts: int) -> None:
        super().__init__(name="split_batch")
        self.decoder = decoder
        self.parts = parts
        # Its weights are those of the decoder, which has them.
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        """Logits of every part, each float32 `[b, T, V]`; outside of training `[B, T, V]` in one.

        Args:
            inputs: `features` `[B, height, width, C]` and `tokens` int32 `[B, T]`.
            training: whether dropout is on.
        """
        if not training:
            return self.decoder(inputs, training=False)
        split = {name: self._split(value) for name, value in inputs.items()}
        return [
            self.decoder({name: values[part] for name, values in split.items()}, training=True)
            for part in range(self.parts)
        ]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The compiled loss, a mean over the targets that count, of the whole batch.

        Args:
            y: targets int `[B, T]`.
            y_pred: what `call` returned.
            x, sample_weight, training: without a part in it.
        """
        if not isinstance(y_pred, list):
            return self.loss(y, y_pred)
        targets = self._split(y)
        counts = [ops.sum(ops.cast(target_mask(part), "float32")) for part in targets]
        losses = [self.loss(*pair) for pair in zip(targets, y_pred, strict=True)]
        total = ops.maximum(sum(counts), 1.0)
        return sum(loss * count / total for loss, count in zip(losses, counts, strict=True))

    def _split(self, batch: Any) -> list[Any]:
        """Parts of `[B, …]`, whose sizes differ by one at most."""
        size = ops.shape(batch)[0]
        ends = [size * part // self.parts for part in range(self.parts + 1)]
        return [batch[ends[part] : ends[part + 1]] for part in range(self.parts)]
