"""What model cards say about data sets, backbones, use and limits."""

from __future__ import annotations

from typing import NamedTuple


class DatasetTexts(NamedTuple):
    """Sentences about a data set.

    Attributes:
        description: what it contains.
        limits: what a model that was trained on it cannot do.
        license: under which terms it may be used.
        hub_license: license of a model trained on it, as Hugging Face names it.
        language: ISO 639-1 code of its captions; None if it is not known.
    """

    description: str
    limits: str
    license: str
    hub_license: str
    language: str | None


class BackboneTexts(NamedTuple):
    """Sentences about a backbone.

    Attributes:
        license: under which terms its weights may be used.
    """

    license: str


_PHOTOGRAPHS = (
    "It was trained on photographs. Its captions of drawings, screenshots, texts, maps and medical "
    "images are likely to be wrong."
)

#: By the names of `dataset` in `params.yaml`.
DATASETS = {
    "scenes": DatasetTexts(
        "simple colored shapes on plain backgrounds, drawn by this project from a random seed, "
        "with five captions each from a small grammar.",
        "It knows drawn shapes only. It describes everything else, such as a photograph, as if it "
        "were made of colored shapes.",
        "the pictures and captions of `scenes` come from this project's code, Apache 2.0.",
        "apache-2.0",
        "en",
    ),
    "flickr8k": DatasetTexts(
        "8,091 photographs from Flickr, most of people and dogs that do something, with five "
        "captions each, in the official splits (Hodosh et al. 2013).",
        _PHOTOGRAPHS,
        "Flickr8k is for non-commercial research and education; the photographs belong to the "
        "members of Flickr who took them.",
        "other",
        "en",
    ),
    "coco_captions": DatasetTexts(
        "photographs of everyday scenes with five captions each, in Karpathy's splits (COCO 2014; "
        "Chen et al. 2015).",
        _PHOTOGRAPHS,
        "COCO's captions are under CC BY 4.0; the photographs are under the terms of Flickr.",
        "other",
        "en",
    ),
    "conceptual_captions": DatasetTexts(
        "pictures from pages of the web, with one caption each that was made from the text of the "
        "page (Sharma et al. 2018).",
        _PHOTOGRAPHS,
        "Google permits every use of Conceptual Captions' texts; the pictures belong to the owners "
        "of the pages.",
        "other",
        "en",
    ),
    "karpathy": DatasetTexts(
        "a data set with one of Karpathy's split files, such as Flickr30k.",
        _PHOTOGRAPHS,
        "see the data set's own terms.",
        "other",
        None,
    ),
    "folder": DatasetTexts(
        "a folder of pictures with captions of the user's own.",
        "Its captions of pictures unlike those in this folder are likely to be wrong.",
        "see the terms of these pictures and captions.",
        "other",
        None,
    ),
}

_IMAGENET = "ImageNet, on which it was trained, is for non-commercial research and education."
#: By the names of `features.extractor` in `params.yaml`.
BACKBONES = {
    "efficientnet_lite0": BackboneTexts(
        f"EfficientNet-Lite0 (Tan and Le 2019), weights under Apache 2.0. {_IMAGENET}"
    ),
    "mobilenet_v3_small": BackboneTexts(
        f"MobileNetV3-Small (Howard et al. 2019), weights of Keras under Apache 2.0. {_IMAGENET}"
    ),
}

USE = (
    "It is made for experiments with image captioning, for drafts of descriptions that a person "
    "checks, and for teaching."
)
LIMITS = (
    "A caption is a guess: it may name things that are not there, miscount, and repeat prejudices "
    "in the captions of training, such as about people's gender and occupation. It must not decide "
    "anything about people, and it is no substitute for a description by a person where somebody "
    "depends on it. The log-probability of a caption tells how probable the model finds the text, "
    "not whether it is true."
)
LOADING_A_MODEL = """With the package `captioning` and the files beside this card, in this folder:

```python
from captioning.captioner import Captioner

captioner = Captioner.load(".")
print(captioner("picture.jpg").text)
```

On the command line: `captioning caption --model . picture.jpg`."""
