"""Karpathy's split files: `dataset_coco.json`, `dataset_flickr8k.json`, `dataset_flickr30k.json`.

A. Karpathy, L. Fei-Fei: Deep Visual-Semantic Alignments for Generating Image Descriptions, CVPR
2015. One object: `images`, a list with for each image `filename`, `split` (`train`, `restval`,
`val` or `test`), `sentences` with `raw` texts and, for COCO, `filepath`, the folder of the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from captioning.core.errors import InputError
from captioning.params.schema import problem_text

KarpathySplit = Literal["train", "restval", "val", "test"]

# They would take more memory than all the rest.
_UNUSED = frozenset({"tokens", "sentids", "sentid", "imgid", "cocoid"})

_ADVICE = "a file in the layout of Karpathy's dataset_coco.json is needed"


class _Sentence(BaseModel):
    model_config = ConfigDict(strict=True)

    raw: str


class _Record(BaseModel):
    model_config = ConfigDict(strict=True)

    filename: str = Field(min_length=1)
    filepath: str = ""
    split: KarpathySplit
    sentences: list[_Sentence]


class KarpathyImage(NamedTuple):
    """One image of a split file.

    Attributes:
        path: folder and name, as in COCO's archives; the name alone where no folder is given.
        split: as the file calls it.
        captions: as people wrote them.
    """

    path: str
    split: KarpathySplit
    captions: tuple[str, ...]


def read_karpathy(content: bytes, name: str) -> Iterator[KarpathyImage]:
    """Yield the images of a split file in its order; `name` is what errors call it.

    As many images as COCO has (123,287) take three seconds, and four times the file in memory.

    Raises:
        InputError: it is no JSON, not of this layout (the first wrong record is named), or it has
            an image in two splits.
    """
    splits: dict[str, tuple[int, str]] = {}
    for number, values in enumerate(_records(content, name)):
        try:
            record = _Record.model_validate(values)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            problem["loc"] = (f"images[{number}]", *problem["loc"])
            raise InputError(f"{name}: {problem_text(problem)}: {_ADVICE}") from None
        path = f"{record.filepath}/{record.filename}" if record.filepath else record.filename
        first, split = splits.setdefault(path, (number, record.split))
        if split != record.split:
            raise InputError(
                f"{name}: {path} is in two splits, {split} (images[{first}]) and "
                f"{record.split} (images[{number}]): take it out of one"
            )
        yield KarpathyImage(path, record.split, tuple(s.raw for s in record.sentences))


def _records(content: bytes, name: str) -> list[Any]:
    """The list `images`, without what isn't used."""
    try:
        values = json.loads(content, object_pairs_hook=_used)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not JSON ({error}): {_ADVICE}") from None
    images = values.get("images") if isinstance(values, dict) else None
    if not isinstance(images, list):
        raise InputError(f"{name} has no list `images`: {_ADVICE}")
    return images


def _used(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file, less the keys that are not used."""
    return {key: value for key, value in pairs if key not in _UNUSED}
