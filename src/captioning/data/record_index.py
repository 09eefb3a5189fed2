"""Reads the index of a folder of records, which `record_writer.write_index` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from captioning.core.errors import InputError
from captioning.core.opening import DamagedError, read_sealed_json, restoring
from captioning.core.splits import INDEX

_Size = Annotated[int, Field(ge=0, lt=2**63)]
_Axis = Annotated[int, Field(ge=1, lt=2**31)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Field(_Part):
    name: str
    dtype: Literal["float16", "float32", "int32", "string"]
    shape: list[_Axis | None]


class _Shard(_Part):
    file: Annotated[str, Field(pattern=r"^\w+-\d+-of-\d+\.tfrecord$")]
    examples: _Size
    bytes: _Size
    sha256: str


class _Splits(_Part):
    train: list[_Shard]
    validation: list[_Shard]
    test: list[_Shard]


class RecordIndex(_Part):
    """The content of `index.json`.

    Attributes:
        fields: fields of a record, see `RecordSpec.from_json`.
        splits: for each split, the summaries of its shards.
        extra: further facts that readers need, such as how the records were made.
    """

    fields: list[_Field]
    splits: _Splits
    extra: dict[str, Any]


def read_index(folder: Path | str) -> dict[str, Any]:
    """Read and check `index.json`; returns `fields`, `splits` and `extra`.

    Raises:
        InputError: the index is missing, damaged, or describes no folder of records.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        name = Path(folder).name
        raise InputError(f"{path} is missing: run `dvc repro {name}`, or {restoring(folder)}")
    try:
        return RecordIndex.model_validate(read_sealed_json(path)).model_dump()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise DamagedError(path, f"{where}: {problem['msg']}") from None
