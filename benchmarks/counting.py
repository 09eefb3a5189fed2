"""The arithmetic that a piece of work needs, counted by hand.

A multiplication and an addition are two operations, as the machine's ceiling counts them. Only
matrix products and convolutions count: they are what the ceiling is measured by. No padding, no
image twice: what another implementation does beyond this shows as a lower share of the ceiling.

Legend: `S` cells of the image grid, `C` feature channels, `D` units, `W` heads x width of one
head, `F` feed-forward units, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# EfficientNet-Lite0: expansion, kernel, stride, channels out, blocks of each stage.
_LITE0 = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_STEM, _HEAD = 32, 1280


@dataclass(frozen=True)
class DecoderSize:
    """What a decoder's arithmetic depends on.

    Args:
        layers: of the decoder.
        units: `D`.
        width: `W`, of all heads together.
        feed_forward: `F`.
        vocabulary: `V`.
        cells: `S`.
        channels: `C`.
        projected: whether features are projected to `D` before cross-attention.
    """

    layers: int
    units: int
    width: int
    feed_forward: int
    vocabulary: int
    cells: int
    channels: int
    projected: bool

    def image_forward(self) -> tuple[int, int]:
        """Operations on one image: on the frozen features themselves, and on what is learnt.

        The first kind needs no gradient towards its input.
        """
        keys_and_values = 2 * self.layers * 2 * self.cells * self.width
        if self.projected:
            return 2 * self.cells * self.channels * self.units, keys_and_values * self.units
        return keys_and_values * self.channels, 0

    def token_forward(self, place: int) -> int:
        """Operations on the token at `place` (from 0) of its caption, its logits included."""
        projections = 2 * 6 * self.units * self.width
        attention = 2 * 2 * self.width * (place + 1 + self.cells)
        feed_forward = 2 * 2 * self.units * self.feed_forward
        layer = projections + attention + feed_forward
        return self.layers * layer + 2 * self.units * self.vocabulary

    def forward(self, images: int, lengths: Iterable[int]) -> int:
        """Operations of one pass over images and captions of so many tokens each."""
        return images * sum(self.image_forward()) + self._tokens(lengths)

    def training(self, images: int, lengths: Iterable[int]) -> int:
        """Operations of a pass and its gradients: each product has two in the backward pass, one
        where its input is frozen."""
        frozen, learnt = self.image_forward()
        return images * (2 * frozen + 3 * learnt) + 3 * self._tokens(lengths)

    def _tokens(self, lengths: Iterable[int]) -> int:
        return sum(self.token_forward(place) for length in lengths for place in range(length))


def efficientnet_lite0(image_size: int) -> int:
    """Operations of EfficientNet-Lite0 without its classifier on one square image."""
    side = -(-image_size // 2)
    total = 2 * side * side * 9 * 3 * _STEM
    channels = _STEM
    for expansion, kernel, first_stride, out, blocks in _LITE0:
        for block in range(blocks):
            hidden = channels * expansion
            if expansion > 1:
                total += 2 * side * side * channels * hidden
            side = -(-side // (first_stride if block == 0 else 1))
            total += 2 * side * side * hidden * (kernel * kernel + out)
            channels = out
    return total + 2 * side * side * channels * _HEAD
