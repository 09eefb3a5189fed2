"""Every number in params.yaml has bounds; whatever a key is set to, no value gives a traceback."""

from __future__ import annotations

import datetime
import math
import struct
from collections.abc import Iterator
from copy import deepcopy
from typing import Annotated, Any, get_args, get_origin

import pytest
from imports import ROOT
from ruamel.yaml import YAML

from captioning.core.errors import InputError
from captioning.experiments.revisions import flatten
from captioning.params import schema
from captioning.params.schema import Section
from captioning.params.stages import Params, load_params

OWN = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
LEAVES = list(flatten(OWN))
NUMBERS = [
    *(0, 1, -1, 2, 3, 7, 64, 100, 255, 1000, 4096, 65536),
    *(10**6, 10**9, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), 10**400),
    *(0.0, -0.0, 0.5, 0.1, 1.0, 1.5, 0.99, 0.9999999999999999, 1e-3, 1e-45, 5e-324, 1e6),
    *(1e38, 1e39, 1.8e308, 1e308, -1e308, math.inf, -math.inf, math.nan),
]
OTHERS = [
    *(None, True, False, "", "0", "1e3", "null", "text", "x" * 5000, "a\0b", "a\nb", "\ud800"),
    *("../../x", "/dev/zero", "http://[", "é" * 300),
    *([], [1], [None], ["x"], [[]], {}, {"a": 1}, {1: 2}),
    *(datetime.date(2001, 1, 1), datetime.datetime(2001, 1, 1), b"bytes", {1, 2}),
]
VALUES = [*NUMBERS, *OTHERS]


def with_value(key: str, value: Any) -> dict[str, Any]:
    values = deepcopy(OWN)
    *sections, name = key.split(".")
    section = values
    for part in sections:
        section = section[part]
    section[name] = value
    return values


@pytest.fixture
def load(monkeypatch):
    """Loads params from Python values: parsing a file for each of thousands would take minutes."""

    def load(values: dict[str, Any]) -> Params:
        monkeypatch.setattr(schema, "read_mapping", lambda path: values)
        return load_params("params.yaml")

    return load


def test_sixty_values_are_tried():
    assert len(VALUES) >= 60 and len(LEAVES) > 80


@pytest.mark.parametrize("key", LEAVES)
def test_whatever_a_key_is_set_to_it_is_accepted_as_it_is_or_refused_by_name(load, key):
    refused = 0
    for value in VALUES:
        values = with_value(key, value)
        try:
            loaded = load(values).model_dump()
        except InputError as error:
            refused += 1
            assert_short_and_named(str(error), key)
        else:
            assert loaded == values
            assert not isinstance(value, float) or math.isfinite(value)
    assert refused > len(VALUES) / 3


def assert_short_and_named(message: str, key: str) -> None:
    first, *lines = message.splitlines()
    assert first.startswith("params.yaml has ") and lines
    assert all(len(line) < 400 for line in lines)
    # A rule for two keys is told for their section.
    section = key.rpartition(".")[0]
    assert any(line.strip().startswith((key, f"{section}: ")) for line in lines), message


@pytest.mark.parametrize("place", ["", "datasets", "model", "train.self_critical"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_a_section_can_be_anything(load, place, value):
    with pytest.raises(InputError) as caught:
        load(with_value(place, value) if place else {**OWN, "unknown": value})
    assert all(len(line) < 400 for line in str(caught.value).splitlines())


@pytest.mark.parametrize("key", [1, None, 2.5, True, "x" * 5000, "a\nb", "\ud800", (1, 2)])
def test_a_key_can_be_anything(load, key):
    with pytest.raises(InputError) as caught:
        load({**OWN, key: 1})
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and len(lines[1]) < 400


def test_of_very_many_problems_the_first_are_shown(load):
    with pytest.raises(InputError, match=r"has 1000 problems:\n") as caught:
        load({**OWN, **{f"key{n}": 1 for n in range(1000)}})
    assert str(caught.value).count("\n") == 51 and str(caught.value).endswith("and 950 more")


def number_types(section: type[Section], prefix: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every key that takes a number, with its constraints."""

    def constraints(kind: Any, metadata: tuple[Any, ...]) -> Iterator[list[Any]]:
        if get_origin(kind) is Annotated:
            base, *more = get_args(kind)
            yield from constraints(base, (*metadata, *more))
        elif kind in (int, float):
            yield [part for item in metadata for part in getattr(item, "metadata", [item])]
        else:
            for part in get_args(kind):
                yield from constraints(part, metadata)

    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from number_types(kind, f"{prefix}{name}.")
        else:
            found = constraints(kind, tuple(field.metadata))
            yield from ((f"{prefix}{name}", item) for item in found)


def test_every_number_has_an_upper_and_a_lower_bound():
    found = list(number_types(Params))
    numbers = {key for key, value in flatten(OWN).items() if type(value) in (int, float)}
    assert numbers <= {key for key, _ in found}
    for key, constraints in found:
        upper = [v for c in constraints for v in (getattr(c, n, None) for n in ("le", "lt")) if v]
        assert upper, f"{key} has no upper bound"
        assert any(hasattr(c, name) for c in constraints for name in ("ge", "gt")), key
        assert upper[0] < 2**31 + 1, f"{key} may not fit into the 32 bits of a tensor's shape"
        struct.pack("f", upper[0])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.batch_images", 10**9, "less than or equal to 4096 (found 1000000000)"),
        ("evaluate.batch_images", 10**9, "less than or equal to 4096 (found 1000000000)"),
        ("model.layers", 10**30, "less than or equal to 256 (found 1"),
        ("train.epochs", 10**30, "less than or equal to 100000 (found 1"),
        ("model.max_length", 10**30, "less than or equal to 1024 (found 1"),
        ("evaluate.bootstrap_samples", 10**30, "less than or equal to 100000 (found 1"),
        ("train.learning_rate", 1e308, "less than or equal to 10 (found 1e+308)"),
        ("train.self_critical.learning_rate", 1e308, "less than or equal to 10 (found 1e+308)"),
        ("evaluate.length_penalty", 1e6, "less than or equal to 10 (found 1000000.0)"),
        ("evaluate.temperature", 1e-45, "greater than or equal to 0.001 (found 1e-45)"),
        ("datasets.flickr8k.images_md5", "F1", "should be an MD5 sum: 32 of the digits 0-9 and a"),
        ("datasets.folder.path", "a\0b", "should be a path or URL without control characters"),
    ],
)
def test_a_value_out_of_bounds_is_told_its_bound(load, key, value, message):
    with pytest.raises(InputError) as caught:
        load(with_value(key, value))
    line = str(caught.value).splitlines()[1]
    assert line.startswith(f"  {key}: ") and message in line


def test_a_model_of_more_weights_than_any_machine_holds_is_refused(load):
    values = with_value("model.layers", 256)
    values["model"] |= {"units": 16384, "heads": 128, "feed_forward_units": 65536}
    with pytest.raises(InputError, match=r"model: the layers would have 1.1e\+12 weights, more"):
        load(values)
    values["model"] |= {"layers": 24, "units": 2048, "heads": 16, "feed_forward_units": 8192}
    assert load(values).model.units == 2048
