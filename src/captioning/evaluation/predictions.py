"""Reads and writes the captions of a split with their references, as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from captioning.core.errors import InputError
from captioning.core.files import atomic_path

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

Point = tuple[float, float]


class SceneObject(BaseModel):
    """An object in a drawn scene.

    Attributes:
        colour, shape, size: their names in `scenes.words`.
        box: x0, y0, x1, y1 in pixels.
    """

    model_config = _STRICT

    colour: str
    shape: str
    size: str
    box: tuple[float, float, float, float]


class ObjectPeak(BaseModel):
    """Where the decoder attended when it wrote a word that names an object, in pixels.

    Attributes:
        word: position of the word in the caption, counted from 0.
        smooth: x and y of the highest point of the smoothed map.
        cell: x and y of the center of the highest cell.
    """

    model_config = _STRICT

    word: int
    smooth: Point
    cell: Point


class Scene(BaseModel):
    """What the figures of grounding are computed from.

    Attributes:
        held_out: whether the scene's combinations of color and shape occur in no other split.
        objects: all objects of the scene.
        peaks: one for each word of the caption that names an object, in the caption's order.
    """

    model_config = _STRICT

    held_out: bool
    objects: tuple[SceneObject, ...]
    peaks: tuple[ObjectPeak, ...]


class Prediction(BaseModel):
    """The caption of one image; arguments are given by keyword.

    Attributes:
        image_id: id in the raw table.
        caption: caption by the model, in standardized words.
        references: captions by people, as in the raw table.
        log_probability: log-probability of the caption's tokens and `[END]`, in nats; finite.
        file: path of the image in the dataset's source, or its URL; None for drawn scenes.
        scene: what is known of a drawn scene; None for other images.
    """

    model_config = _STRICT

    image_id: str
    caption: str
    references: tuple[str, ...]
    log_probability: float
    file: str | None = None
    scene: Scene | None = None


def write_predictions(path: Path | str, rows: Iterable[Prediction]) -> int:
    """Write one JSON object in each line and return the number of lines.

    The file is UTF-8 with sorted keys, without those that are None. It appears only when it is
    complete. `rows` is consumed one row at a time.
    """
    number = 0
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for row in rows:
            line = json.dumps(row.model_dump(exclude_none=True), sort_keys=True, ensure_ascii=False)
            file.write(line.encode() + b"\n")
            number += 1
    return number


def read_predictions(path: Path | str) -> list[Prediction]:
    """Read a file that `write_predictions` wrote.

    Raises:
        InputError: the file is missing, or a line is not a prediction or repeats an image.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro evaluate`") from None
    return parse_predictions(text, str(path))


def parse_predictions(text: bytes, name: str) -> list[Prediction]:
    """Parse the content of a file that `write_predictions` wrote.

    Args:
        text: bytes of the file.
        name: name of the file in error messages.

    Raises:
        InputError: a line is not a prediction or repeats an image; the message names the line.
    """
    rows: list[Prediction] = []
    seen: dict[str, int] = {}
    # Split at b"\n" alone: captions may contain other line separators.
    for number, line in enumerate(text.removesuffix(b"\n").split(b"\n") if text else [], start=1):
        place = f"{name} line {number}"
        row = _prediction(place, line)
        if row.image_id in seen:
            raise InputError(
                f"{place}: image {row.image_id!r} is already on line {seen[row.image_id]}"
            )
        seen[row.image_id] = number
        rows.append(row)
    return rows


def _prediction(place: str, line: bytes) -> Prediction:
    """Parse one line; raise an InputError that lists its problems."""
    try:
        return Prediction.model_validate_json(line)
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_url=False):
            key = ".".join(map(str, problem["loc"]))
            problems.append(f"{key}: {problem['msg']}" if key else problem["msg"])
        raise InputError(f"{place} is not a prediction: {'; '.join(problems)}") from None
