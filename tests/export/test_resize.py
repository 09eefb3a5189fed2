"""Pictures are resized in the graph to exactly Pillow's pixels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from captioning.data.images.decode import resize as resize_with_pillow
from captioning.export.resize import pillow_begins_with_the_height, resize

SIZE = 48
# Height and width: as they are, enlarged, reduced, both, a line, and around the height from which
# Pillow may begin with the height.
SHAPES = [
    (SIZE, SIZE),
    (1, 1),
    (20, 31),
    (400, 300),
    (7, 500),
    (500, 7),
    (SIZE + 1, SIZE - 1),
    (151, 100),
    (152, 100),
    (153, 100),
    (SIZE, 30),
    (49, 30),
]


@pytest.fixture(scope="module")
def in_graph():
    order = pillow_begins_with_the_height()
    signature = [tf.TensorSpec((None, None, None, 3), tf.uint8)]
    return tf.function(lambda x: resize(x, SIZE, tall_ones_down_first=order), signature)


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_resized_pixels_are_those_of_pillow(in_graph, height: int, width: int) -> None:
    pixels = _noise(height, width)
    expected = resize_with_pillow(Image.fromarray(pixels), SIZE)
    np.testing.assert_array_equal(in_graph(pixels[None])[0], expected)


def test_any_shape_is_resized_to_the_pixels_of_pillow(in_graph) -> None:
    for height, width in np.random.default_rng(1).integers(1, 400, (60, 2)).tolist():
        pixels = _noise(height, width)
        expected = resize_with_pillow(Image.fromarray(pixels), SIZE)
        np.testing.assert_array_equal(in_graph(pixels[None])[0], expected, f"{height}x{width}")


def test_the_order_of_the_axes_changes_pixels_of_tall_pictures_by_one() -> None:
    pixels = _noise(400, 100)[None]
    first, second = (resize(pixels, SIZE, tall_ones_down_first=order) for order in (False, True))
    difference = np.abs(first.numpy().astype(int) - second.numpy())
    assert difference.max() == 1


def test_pictures_of_a_batch_do_not_influence_each_other(in_graph) -> None:
    batch = np.stack([_noise(90, 70), _noise(90, 70)[::-1]])
    together = in_graph(batch)
    for one, pixels in zip(together, batch, strict=True):
        np.testing.assert_array_equal(one, in_graph(pixels[None])[0])
