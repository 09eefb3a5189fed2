"""Says in plain words what a trained model knows: its data set and the language of its captions.

No stage imports this, so other words need no new training.
"""

from __future__ import annotations

from captioning.model.bundle import Bundle
from captioning.model_card.texts import DATASETS

# For each dataset of `params.yaml`: what its pictures show.
_PICTURES = {
    "scenes": "drawn pictures of a few colored shapes on simple backgrounds",
    "flickr8k": "photographs from Flickr, most of people and dogs that do something",
    "coco_captions": "photographs of everyday scenes, from Flickr",
    "conceptual_captions": "photographs and other pictures from pages of the web",
    "karpathy": "a data set with a split file in Karpathy's format",
    "folder": "pictures of the user's own",
}


def caption_language(dataset: str | None) -> str | None:
    """The language of a dataset's captions as an ISO 639-1 code such as `en`; None if unknown.

    Args:
        dataset: a name of `dataset` in `params.yaml`, or None if it is unknown.
    """
    texts = DATASETS.get(dataset or "")
    return None if texts is None else texts.language


def model_note(bundle: Bundle) -> str:
    """Say in two or three sentences what a model was trained on and what follows from it."""
    dataset = bundle.dataset
    if dataset is None:
        origin = "It is not recorded on which data set this model was trained."
    else:
        pictures = f" ({_PICTURES[dataset]})" if dataset in _PICTURES else ""
        origin = f"This model was trained on the data set {dataset}{pictures}."
    if bundle.familiarity is None:
        return (
            f"{origin} Its captions of other pictures are likely to be wrong, and it cannot tell "
            "which pictures those are."
        )
    return f"{origin} Pictures unlike those of training are marked; their captions may be wrong."
