"""Index files of Conceptual Captions with URLs of valid images on the hostile server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hostile_server import HostileServer

from captioning.download.datasets.base import Example, Rejections
from captioning.download.datasets.conceptual_captions import ConceptualCaptions
from captioning.params.datasets import ConceptualCaptionsParams

TRAINING = "GCC-training.tsv"
VALIDATION = "GCC-1.1.0-Validation.tsv"


def shades(server: HostileServer, count: int, start: int = 0) -> list[str]:
    """URLs of `count` images, each of a different color."""
    return [f"{server.url}/colour/%23{n:02x}00{255 - n:02x}" for n in range(start, start + count)]


def index(path: Path, urls: Sequence[str]) -> None:
    """Write an index file with a caption for each URL."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"picture number {n}\t{url}\n" for n, url in enumerate(urls, 1)))


def release(
    folder: Path, training: Sequence[str], validation: Sequence[str], **changes: object
) -> ConceptualCaptionsParams:
    """Write both index files to `folder`; return params that name them, with `changes`."""
    index(folder / TRAINING, training)
    index(folder / VALIDATION, validation)
    params = {
        "source": str(folder),
        "training_md5": None,
        "validation_md5": None,
        "train_images": None,
        "validation_images": None,
        "test_images": 1,
        "image_size": 32,
        "max_failed_share": 0.5,
    }
    return ConceptualCaptionsParams(**{**params, **changes})


def examples(
    params: ConceptualCaptionsParams, rejections: Rejections | None = None
) -> list[Example]:
    """All examples of the dataset."""
    return list(ConceptualCaptions(params).examples(rejections or Rejections()))
