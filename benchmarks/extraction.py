"""Extraction of features from encoded images, in images per second: decode, resize, network."""

from __future__ import annotations

from itertools import islice
from typing import Any

from benchmarks.alternate import Work
from benchmarks.counting import efficientnet_lite0
from benchmarks.data import BenchData
from captioning.data.raw_table import read_raw


def encoded_images(data: BenchData, count: int) -> list[dict[str, Any]]:
    """The first rows of the test split's raw table."""
    return list(islice(read_raw(data.raw, "test", columns=["image_id", "image"]), count))


class Tutorial(Work):
    """The tutorial's side: decoding in `tf.data`, the stock network under `tf.function`.

    Args:
        data: data whose test images are used.
        images: number of images in one run, a multiple of 32.
    """

    def __init__(self, data: BenchData, images: int) -> None:
        from benchmarks.tutorial_extractor import TutorialExtraction

        self.images = [row["image"] for row in encoded_images(data, images)]
        self.extraction = TutorialExtraction(data.params.features.image_size)
        self.extraction(self.images[:32])

    def run(self) -> float:
        """Extract the images; return their number."""
        return len(self.extraction(self.images))


class Ours(Work):
    """This project's side: what the `features` stage does, without writing.

    Args:
        data: data whose test images are used.
        images: number of images in one run.
    """

    def __init__(self, data: BenchData, images: int) -> None:
        from captioning.extractors import make_extractor

        self.rows = encoded_images(data, images)
        self.size = data.params.features.image_size
        self.extractor = make_extractor("efficientnet_lite0", self.size)
        self._extract(self.rows[:32])

    def run(self) -> float:
        """Extract the images; return their number."""
        return self._extract(self.rows)

    def facts(self) -> dict[str, Any]:
        """`flops_per_image`: operations that one image needs."""
        return {"flops_per_image": efficientnet_lite0(self.size)}

    def _extract(self, rows: list[dict[str, Any]]) -> int:
        from captioning.features.write_features import feature_records

        return sum(1 for _ in feature_records(iter(rows), self.extractor))
