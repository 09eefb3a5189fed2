"""Captions of a split with their references, as JSON Lines: what `evaluate` writes and scores."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from captioning.core.errors import InputError
from captioning.core.files import atomic_path


class Prediction(BaseModel):
    """One caption; the arguments go by keyword.

    Attributes:
        image_id: as in the raw table.
        caption: what the model says, standardised words.
        references: what people say, as in the raw table.
        log_probability: of the caption's tokens, `[END]` included, in nats; finite.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    image_id: str
    caption: str
    references: tuple[str, ...]
    log_probability: float


def write_predictions(path: Path | str, rows: Iterable[Prediction]) -> int:
    """Write one JSON object a line: UTF-8, sorted keys; whole or not at all. Return their number.

    `rows` is read as it is written, one row at a time.
    """
    number = 0
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for row in rows:
            line = json.dumps(row.model_dump(), sort_keys=True, ensure_ascii=False)
            file.write(line.encode() + b"\n")
            number += 1
    return number


def read_predictions(path: Path | str) -> list[Prediction]:
    """Read a file that `write_predictions` wrote.

    Raises:
        InputError: the file is missing, or a line is no prediction or repeats an image; names it.
    """
    try:
        text = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro evaluate`") from None
    return parse_predictions(text, str(path))


def parse_predictions(text: bytes, name: str) -> list[Prediction]:
    """Parse what `write_predictions` wrote; `name` is what to call it in errors.

    Raises:
        InputError: a line is no prediction or repeats an image; names it.
    """
    rows: list[Prediction] = []
    seen: dict[str, int] = {}
    # By b"\n" alone: captions may hold other line separators.
    for number, line in enumerate(text.removesuffix(b"\n").split(b"\n") if text else [], start=1):
        place = f"{name} line {number}"
        row = _prediction(place, line)
        if row.image_id in seen:
            raise InputError(
                f"{place}: image {row.image_id!r} is on line {seen[row.image_id]} already"
            )
        seen[row.image_id] = number
        rows.append(row)
    return rows


def _prediction(place: str, line: bytes) -> Prediction:
    """Parse one line, or raise an InputError that says what is wrong with it."""
    try:
        return Prediction.model_validate_json(line)
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_url=False):
            key = ".".join(map(str, problem["loc"]))
            problems.append(f"{key}: {problem['msg']}" if key else problem["msg"])
        raise InputError(f"{place} is no prediction: {'; '.join(problems)}") from None
