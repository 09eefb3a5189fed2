"""Read Karpathy's split files: `dataset_{coco,flickr8k,flickr30k}.json`.

A. Karpathy, L. Fei-Fei: Deep Visual-Semantic Alignments for Generating Image Descriptions, CVPR
2015. A split file is a JSON object with a list `images`. Each image has a `filename`, a `split`
(`train`, `restval`, `val` or `test`), `sentences` with a `raw` text each, and, in COCO, a
`filepath`, which is the folder of the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from captioning.core.errors import InputError
from captioning.download.names import is_unicode
from captioning.params.schema import problem_text

KarpathySplit = Literal["train", "restval", "val", "test"]

# These keys would take more memory than all others together.
_UNUSED_KEYS = frozenset({"tokens", "sentids", "sentid", "imgid", "cocoid"})

_ADVICE = "use a file with the layout of Karpathy's dataset_coco.json"


def _unicode(text: str) -> str:
    """Refuse half a character, as JSON can contain it."""
    if not is_unicode(text):
        raise ValueError(f"is not valid Unicode (found {text!r:.120})")
    return text


class _Sentence(BaseModel):
    model_config = ConfigDict(strict=True)

    raw: Annotated[str, AfterValidator(_unicode)]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True)

    filename: str = Field(min_length=1)
    filepath: str = ""
    split: KarpathySplit
    sentences: list[_Sentence]


class KarpathyImage(NamedTuple):
    """One image of a split file.

    Attributes:
        path: folder and file name, as in COCO's archives; only the name if no folder is given.
        split: name of the split in the file.
        captions: captions as people wrote them.
    """

    path: str
    split: KarpathySplit
    captions: tuple[str, ...]


def read_karpathy(content: bytes, name: str) -> Iterator[KarpathyImage]:
    """Yield the images of a split file in its order.

    COCO's 123,287 images take three seconds, and four times the file's size in memory.

    Args:
        content: bytes of the split file.
        name: name of the file in error messages.

    Raises:
        InputError: the file is not JSON or has another layout (the message names the first invalid
            record), or an image is in two splits.
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
                f"{record.split} (images[{number}]): remove it from one of them"
            )
        yield KarpathyImage(path, record.split, tuple(s.raw for s in record.sentences))


def _records(content: bytes, name: str) -> list[Any]:
    """The list `images` of a split file."""
    try:
        values = json.loads(content, object_pairs_hook=_without_unused_keys)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not JSON ({error}): {_ADVICE}") from None
    images = values.get("images") if isinstance(values, dict) else None
    if not isinstance(images, list):
        raise InputError(f"{name} has no list `images`: {_ADVICE}")
    return images


def _without_unused_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object without the keys that are not used."""
    return {key: value for key, value in pairs if key not in _UNUSED_KEYS}
