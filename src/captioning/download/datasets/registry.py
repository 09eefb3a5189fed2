"""Creates the dataset that `dataset` in params.yaml names."""

from __future__ import annotations

from captioning.download.datasets.base import Dataset
from captioning.params.stages import Params


def make_dataset(params: Params) -> Dataset:
    """Create the chosen dataset; only its own module is imported."""
    if params.dataset == "flickr8k":
        from captioning.download.datasets.flickr8k import Flickr8k

        return Flickr8k(params.datasets.flickr8k)

    if params.dataset == "coco_captions" and params.datasets.coco_captions.source == "tfds":
        from captioning.download.datasets.coco_tfds import CocoTfds

        return CocoTfds(params.datasets.coco_captions)

    if params.dataset in ("coco_captions", "karpathy"):
        from captioning.download.datasets.karpathy import Karpathy

        return Karpathy(getattr(params.datasets, params.dataset))

    if params.dataset == "conceptual_captions":
        from captioning.download.datasets.conceptual_captions import ConceptualCaptions

        return ConceptualCaptions(params.datasets.conceptual_captions)

    if params.dataset == "folder":
        from captioning.download.datasets.folder import Folder

        return Folder(params.datasets.folder)

    from captioning.download.datasets.scenes import Scenes

    return Scenes(params.datasets.scenes)
