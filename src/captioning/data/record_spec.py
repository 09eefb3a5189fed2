"""The record specification, which both writes and parses TFRecords.

A tensor of fixed shape is stored as raw little-endian bytes. A ragged tensor (a list of lists of
token ids) is stored as its flat values and its row lengths.

Legend: `B` records, `N` rows of a ragged tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from captioning.core.errors import InputError

#: Facts about one shard: `file`, its name; `examples`, the number of records; `bytes`; `sha256`.
ShardSummary = dict[str, Any]
_DTYPES = {"float16": tf.float16, "float32": tf.float32, "int32": tf.int32}


@dataclass(frozen=True)
class Field:
    """One tensor of a record.

    Args:
        name: key of the feature in the `tf.train.Example`.
        dtype: `float16`, `float32`, `int32` or `string` (a scalar).
        shape: fixed shape, or `(None, None)` for a list of lists of int32.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] = ()

    @property
    def ragged(self) -> bool:
        """Whether rows differ in length."""
        return None in self.shape


@dataclass(frozen=True)
class RecordSpec:
    """The fields of a record; `serialize` and `parse` both follow them.

    >>> spec = RecordSpec((Field("image_id", "string"), Field("tokens", "int32", (None, None))))
    >>> record = spec.serialize({"image_id": "a", "tokens": [[2, 7, 3], [2, 3]]})
    >>> spec.parse(tf.constant(record))["tokens"].to_list()
    [[2, 7, 3], [2, 3]]
    """

    fields: tuple[Field, ...]

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Shape of the field called `name`."""
        return next(field.shape for field in self.fields if field.name == name)

    def serialize(self, example: Mapping[str, Any]) -> bytes:
        """Serialize an example to the bytes of a `tf.train.Example`.

        Raises:
            InputError: the shape of a value differs from the field's, or a value is not finite.
        """
        feature: dict[str, tf.train.Feature] = {}
        for field in self.fields:
            value = example[field.name]
            if field.dtype == "string":
                feature[field.name] = _bytes(str(value).encode())
            elif field.ragged:
                feature[field.name] = _ints([item for row in value for item in row])
                feature[f"{field.name}_lengths"] = _ints([len(row) for row in value])
            else:
                feature[field.name] = _bytes(_dense_bytes(field, value, example))
        message = tf.train.Example(features=tf.train.Features(feature=feature))
        return bytes(message.SerializeToString(deterministic=True))

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parse a record (a scalar string tensor), or a batch of records `[B]`, which is faster.

        Returns:
            A tensor for each field: of the field's shape, or ragged `[N, None]`. For a batch, `B`
            is the first axis of every tensor.
        """
        parsed = tf.io.parse_example(serialized, self._features())
        result = {}
        for field in self.fields:
            value = parsed[field.name]
            if field.dtype == "string":
                result[field.name] = value
            elif field.ragged:
                lengths = parsed[f"{field.name}_lengths"]
                is_batch = isinstance(lengths, tf.RaggedTensor)
                values, counts = (value.values, lengths.values) if is_batch else (value, lengths)
                # No validation: the writer counted the lengths, and records have a checksum.
                rows = tf.RaggedTensor.from_row_lengths(
                    tf.cast(values, tf.int32), counts, validate=False
                )
                result[field.name] = lengths.with_values(rows) if is_batch else rows
            else:
                decoded = tf.io.decode_raw(value, _DTYPES[field.dtype], little_endian=True)
                result[field.name] = tf.reshape(
                    decoded, (*([-1] * len(serialized.shape)), *field.shape)
                )
        return result

    def to_json(self) -> list[dict[str, Any]]:
        """The fields as values that JSON can represent."""
        return [{**asdict(field), "shape": list(field.shape)} for field in self.fields]

    @classmethod
    def from_json(cls, values: list[dict[str, Any]]) -> RecordSpec:
        """The spec that `to_json` made these values of."""
        return cls(tuple(Field(v["name"], v["dtype"], tuple(v["shape"])) for v in values))

    def _features(self) -> dict[str, Any]:
        features: dict[str, Any] = {}
        for field in self.fields:
            if field.ragged:
                for name in (field.name, f"{field.name}_lengths"):
                    features[name] = tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
            else:
                features[field.name] = tf.io.FixedLenFeature([], tf.string)
        return features


def _dense_bytes(field: Field, value: Any, example: Mapping[str, Any]) -> bytes:
    """The bytes of a value of fixed shape, after checking its shape and that it is finite."""
    where = f"record {example.get('image_id', '')!r}, field {field.name}"
    array = np.asarray(value)
    if array.shape != field.shape:
        raise InputError(f"{where}: shape {array.shape} instead of {field.shape}")
    with np.errstate(over="ignore"):
        stored = array.astype(np.dtype(field.dtype).newbyteorder("<"))
    if not np.isfinite(stored).all():
        raise InputError(
            f"{where}: a value is not finite as {field.dtype}: set `features.dtype: float32`"
        )
    return stored.tobytes()


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _ints(values: list[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
