"""Number of arithmetic operations that a piece of work needs.

A multiplication and an addition count as two operations. Only matrix products and convolutions
count, because the machine's limit is measured with matrix products. Padding and repeated work do
not count, so an implementation that does more than needed reaches a lower share of the limit.

Legend: `S` cells of the image grid, `C` feature channels, `D` units, `W` width of all heads
together, `F` feed-forward units, `V` vocabulary size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Stages of EfficientNet-Lite0: expansion, kernel size, stride, output channels, number of blocks.
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
    """Sizes that determine the number of a decoder's operations.

    Args:
        layers: number of decoder layers.
        units: width of the residual stream `D`.
        width: width of all heads together `W`.
        feed_forward: hidden width of the feed-forward block `F`.
        vocabulary: vocabulary size `V`.
        cells: cells of the image grid `S`.
        channels: feature channels `C`.
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
        """Operations on one image: those on the frozen features, and those on learned values.

        The first kind needs no gradient with respect to its input.
        """
        keys_and_values = 2 * self.layers * 2 * self.cells * self.width
        if self.projected:
            return 2 * self.cells * self.channels * self.units, keys_and_values * self.units
        return keys_and_values * self.channels, 0

    def token_forward(self, place: int) -> int:
        """Operations on the token at `place` (from 0) of its caption, including its logits."""
        projections = 2 * 6 * self.units * self.width
        attention = 2 * 2 * self.width * (place + 1 + self.cells)
        feed_forward = 2 * 2 * self.units * self.feed_forward
        layer = projections + attention + feed_forward
        return self.layers * layer + 2 * self.units * self.vocabulary

    def forward(self, images: int, lengths: Iterable[int]) -> int:
        """Operations of a forward pass over images, and captions with these numbers of tokens."""
        return images * sum(self.image_forward()) + self._tokens(lengths)

    def training(self, images: int, lengths: Iterable[int]) -> int:
        """Operations of a forward and backward pass over images and captions.

        The backward pass of a product needs two products, or one if its input is frozen.
        """
        frozen, learned = self.image_forward()
        return images * (2 * frozen + 3 * learned) + 3 * self._tokens(lengths)

    def _tokens(self, lengths: Iterable[int]) -> int:
        return sum(self.token_forward(place) for length in lengths for place in range(length))


def efficientnet_lite0(image_size: int) -> int:
    """Operations of EfficientNet-Lite0, without its classifier, on one square image."""
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
