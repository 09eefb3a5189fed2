"""Stage `features`: the feature map of every image."""

from __future__ import annotations

import _environment  # noqa: F401

from captioning.core.files import fresh_folder, write_json
from captioning.core.splits import SPLITS
from captioning.data.raw_table import raw_shards
from captioning.params.stages import Params
from captioning.runtime.scratch import scratch_folder
from captioning.stage.main import stage_main


def features(params: Params) -> None:
    """Write data/features and metrics/features.json."""
    # Imported here, so that wrong params are reported without waiting for TensorFlow.
    from captioning.extractors import make_extractor
    from captioning.features.remote import extract_remotely
    from captioning.features.write_features import write_features

    extractor = make_extractor(params.features.extractor, params.features.image_size)
    settings = {**params.features.model_dump(), "weights": extractor.weights_sha256}
    inputs = [path for split in SPLITS for path in raw_shards("data/raw", split)]
    with (
        scratch_folder("features", settings, inputs) as scratch,
        fresh_folder("data/features") as folder,
    ):
        # Only where the environment names a cluster or an object store.
        extract_remotely("data/raw", scratch, extractor, params.features.dtype)
        summary = write_features("data/raw", folder, extractor, params.features.dtype, scratch)
        write_json("metrics/features.json", summary)


if __name__ == "__main__":
    stage_main(features, "data/features", "metrics/features.json")
