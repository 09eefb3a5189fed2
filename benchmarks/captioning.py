"""Captioning of picture files, in pictures per second: read, decode, extract, search.

It is compared with extraction of the same files alone, which no captioning can outrun.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.alternate import Work
from benchmarks.data import BenchData
from benchmarks.extraction import encoded_images

_WARM_UP = 128


def picture_files(data: BenchData, count: int) -> list[Path]:
    """Files with the first pictures of the test split, written on first use.

    If the split has fewer than `count`, the list begins again from its start.
    """
    folder = data.work / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, row in enumerate(encoded_images(data, count)):
        path = folder / f"{index:06d}"
        if not path.is_file():
            # Another side may write the same file.
            temporary = path.with_suffix(f".{id(row):x}")
            temporary.write_bytes(row["image"])
            temporary.replace(path)
        paths.append(path)
    return [paths[index % len(paths)] for index in range(count)]


class Extraction(Work):
    """Features alone, as the stage computes them, but from files.

    Args:
        data: data whose test pictures are used.
        images: number of pictures in one run.
    """

    def __init__(self, data: BenchData, images: int) -> None:
        from captioning.extractors import make_extractor

        self.paths = picture_files(data, images)
        params = data.params.features
        self.extractor = make_extractor(params.extractor, params.image_size)
        self._extract(self.paths[:_WARM_UP])

    def run(self) -> float:
        """Extract the features; return the number of pictures."""
        return self._extract(self.paths)

    def _extract(self, paths: list[Path]) -> int:
        from captioning.features.write_features import feature_records

        rows = ({"image_id": path.name, "image": path.read_bytes()} for path in paths)
        return sum(1 for _ in feature_records(rows, self.extractor))


class Captioning(Work):
    """What `captioning caption -o` does, without writing, with the model in `data/model`.

    Args:
        data: data whose test pictures are used.
        images: number of pictures in one run.
        decoder: `greedy`, or `beam` of width 3.
    """

    def __init__(self, data: BenchData, images: int, decoder: str) -> None:
        from captioning.batch.running import PictureCaptioner
        from captioning.captioner import Captioner
        from captioning.decoding.settings import DecodingSettings

        self.paths = picture_files(data, images)
        captioner = Captioner.load(data.root / "data/model")
        self.captioner = PictureCaptioner(captioner, DecodingSettings(decoder))
        self.words = 0
        self._caption(self.paths[:_WARM_UP])

    def run(self) -> float:
        """Caption the pictures; return their number."""
        return self._caption(self.paths)

    def facts(self) -> dict[str, Any]:
        """`words`: mean number of words of the last run's captions."""
        return {"words": self.words / len(self.paths)}

    def _caption(self, paths: list[Path]) -> int:
        from captioning.batch.pictures import Picture

        pictures = (Picture(index, str(path)) for index, path in enumerate(paths))
        captions = [row.captions[0] for row in self.captioner.rows(pictures)]
        self.words = sum(len(caption.split()) for caption in captions)
        return len(captions)
