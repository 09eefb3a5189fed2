"""Refuses inputs that lie in the pipeline's own outputs, which a stage would delete first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from captioning.core.errors import InputError
from captioning.core.files import SCRATCH
from captioning.download.sources.locate import is_url
from captioning.params.stages import Params

#: Every folder and file that a stage writes or deletes.
OUTPUTS = (
    Path("data/raw"),
    Path("data/features"),
    Path("data/vocabulary"),
    Path("data/tokens"),
    Path("data/model"),
    Path("data/train_samples.jsonl"),
    Path("data/predictions.jsonl"),
    Path("data/scores.json"),
    Path("metrics"),
    SCRATCH,
)
_SOURCE_VARIABLE = "CAPTIONING_SOURCE"


def check_inputs(params: Params) -> None:
    """Check that no place from which the chosen dataset is read lies in an output, or holds one.

    Links are followed. A folder that holds an output is refused only if all of it is read, as that
    of the dataset `folder` is.

    Raises:
        InputError: there is such a place; the message names its key.
    """
    section = getattr(params.datasets, params.dataset).model_dump()
    places = dict(_places(f"datasets.{params.dataset}", section))
    if source := os.environ.get(_SOURCE_VARIABLE):
        places[_SOURCE_VARIABLE] = source
    for key, place in places.items():
        path = Path(place).expanduser().resolve()
        for output in OUTPUTS:
            written = output.resolve()
            if path.is_relative_to(written):
                raise InputError(
                    f"{key}: {place} is in {output}, which the pipeline deletes and writes: move "
                    "your data elsewhere, such as to data/own"
                )
            if key == "datasets.folder.path" and written.is_relative_to(path):
                raise InputError(
                    f"{key}: {place} contains {output}, which the pipeline deletes and writes: "
                    "give a folder that holds only your data"
                )


def _places(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a section that is not a URL, by its key; not all of them are paths."""
    if isinstance(value, str):
        if not is_url(value):
            yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _places(f"{key}.{name}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _places(f"{key}[{number}]", item)
