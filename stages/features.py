"""Write the feature map of every image: data/raw -> data/features."""

from __future__ import annotations

import _environment  # noqa: F401

from captioning.extractors import make_extractor
from captioning.features import write_features
from captioning.files import fresh_folder, write_json
from captioning.params import Params
from captioning.stage import stage_main


def features(params: Params) -> None:
    """Run the stage."""
    extractor = make_extractor(params.features.extractor, params.features.image_size)
    with fresh_folder("data/features") as folder:
        summary = write_features("data/raw", folder, extractor, params.features.dtype)
    write_json("metrics/features.json", summary)


if __name__ == "__main__":
    stage_main(features)
