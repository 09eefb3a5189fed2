"""Write the feature map of every image: data/raw -> data/features."""

from __future__ import annotations

import _environment  # noqa: F401

from captioning.files import fresh_folder, write_json
from captioning.params import Params
from captioning.scratch import scratch_folder
from captioning.shards import SPLITS, shard_paths
from captioning.stage import stage_main


def features(params: Params) -> None:
    """Run the stage."""
    # Imported here: what is wrong with the params is said without waiting for TensorFlow.
    from captioning.extractors import make_extractor
    from captioning.features import write_features
    from captioning.remote_features import extract_remotely

    extractor = make_extractor(params.features.extractor, params.features.image_size)
    settings = {**params.features.model_dump(), "weights": extractor.weights_sha256}
    inputs = [path for split in SPLITS for path in shard_paths("data/raw", split, "parquet")]
    with (
        scratch_folder("features", settings, inputs) as scratch,
        fresh_folder("data/features") as folder,
    ):
        # On a cluster or by way of a store, where the environment names one.
        extract_remotely("data/raw", scratch, extractor, params.features.dtype)
        summary = write_features("data/raw", folder, extractor, params.features.dtype, scratch)
    write_json("metrics/features.json", summary)


if __name__ == "__main__":
    stage_main(features)
