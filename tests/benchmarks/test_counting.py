"""The benchmark counts operations correctly."""

from __future__ import annotations

import pytest

from benchmarks import tutorial
from benchmarks.counting import DecoderSize, efficientnet_lite0
from benchmarks.training import decoder_size
from captioning.extractors import make_extractor

# One layer, D = W = 2, F = 4, V = 5, S = 3, C = 4.
SIZE = DecoderSize(1, 2, 2, 4, 5, 3, 4, projected=False)


def test_the_number_of_operations_equals_the_count_by_hand():
    # Keys and values: 2 products of [3, 4] and [4, 2].
    assert SIZE.image_forward() == (2 * (2 * 3 * 4 * 2), 0)
    # Six [2, 2] projections; scores and weighted sums over 1 token and 3 cells; the feed-forward
    # products [2, 4] and [4, 2]; the output layer [2, 5].
    first = 6 * 2 * 4 + 2 * 2 * 2 * (1 + 3) + 2 * (2 * 2 * 4) + 2 * 2 * 5
    assert SIZE.token_forward(0) == first == 132
    assert SIZE.token_forward(1) == first + 2 * 2 * 2
    assert SIZE.forward(2, [2, 1]) == 2 * 96 + 132 + 140 + 132
    # Frozen features need no gradient.
    assert SIZE.training(2, [2, 1]) == 2 * (2 * 96) + 3 * (132 + 140 + 132)


def test_projected_features_are_counted_once_for_all_layers():
    size = DecoderSize(3, 2, 2, 4, 5, 3, 4, projected=True)
    assert size.image_forward() == (2 * 3 * 4 * 2, 3 * 2 * (2 * 3 * 2 * 2))


def test_the_size_of_a_decoder_is_read_from_the_decoder():
    decoder = tutorial.same_size(30, (3, 3, 8), units=16, key_size=16, max_length=12)
    assert decoder_size(decoder) == DecoderSize(2, 16, 32, 32, 30, 9, 8, projected=False)


@pytest.mark.parametrize("size", [64, 96])
def test_the_number_of_the_extractors_operations_equals_that_of_its_graph(size):
    extractor = make_extractor("efficientnet_lite0", size)
    graph = extractor._network.get_concrete_function().graph
    found = 0
    for operation in graph.get_operations():
        if operation.type in ("Conv2D", "DepthwiseConv2dNative"):
            _, height, width, channels = operation.outputs[0].shape
            rows, columns, deep, _ = operation.inputs[1].shape
            deep = 1 if operation.type.startswith("Depthwise") else deep
            found += 2 * height * width * channels * rows * columns * deep
    assert efficientnet_lite0(size) == found
