"""Damage of a file is reported in one line that says what to do."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pytest

from captioning.core.errors import InputError
from captioning.core.opening import (
    DamagedError,
    opening,
    read_sealed_json,
    write_sealed_json,
)

VALUE = {"extractor": "größer", "sizes": [1, 2.5, None], "more": {"b": True}}


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data/model").mkdir(parents=True)
    write_sealed_json("data/model/captioner.json", VALUE)
    return Path("data/model/captioner.json")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no archive\nat all"),
        zipfile.BadZipFile("no archive"),
        struct.error("no archive."),
        KeyError("no archive"),
        OSError("no archive"),
        RecursionError("no archive"),
    ],
)
def test_whatever_a_library_raises_becomes_one_line_with_advice(path, error):
    with pytest.raises(DamagedError) as raised, opening(path):
        raise error
    assert str(raised.value).replace("'", "") == (
        "data/model/captioner.json is damaged (no archive): delete it and "
        "run `dvc checkout data/model`"
    )


def test_a_long_message_is_cut_and_an_empty_one_replaced(path):
    with pytest.raises(DamagedError) as raised, opening(path):
        raise ValueError("x" * 10_000)
    assert len(str(raised.value)) < 400
    with pytest.raises(DamagedError, match=r"is damaged \(EOFError\)"), opening(path):
        raise EOFError


def test_messages_for_users_pass_unchanged(path):
    with pytest.raises(InputError, match=r"^set `x`$"), opening(path):
        raise InputError("set `x`")


def test_too_little_memory_is_not_called_damage_alone(path):
    message = r"json needs more memory than there is; if it should not, it is damaged: delete it"
    with pytest.raises(InputError, match=message), opening(path):
        raise MemoryError("Unable to allocate 7 TiB")


def test_missing_and_forbidden_files_are_not_called_damaged(path):
    with pytest.raises(InputError, match=r"missing: run `dvc checkout data/model`"):
        read_sealed_json(path.with_name("other.json"))
    with pytest.raises(InputError, match="data/model cannot be read: Is a directory"):
        read_sealed_json(path.parent)


def test_sealed_json_gives_its_content_back_and_has_the_same_bytes_again(path):
    assert read_sealed_json(path) == VALUE
    before = path.read_bytes()
    write_sealed_json(path, dict(reversed(VALUE.items())))
    assert path.read_bytes() == before


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    ("old", "new"), [("größer", "grösser"), ("2.5", "3.5"), ("true", "false"), ("null", "NaN")]
)
def test_a_changed_value_in_sealed_json_is_damage(path, old, new, required):
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DamagedError, match="it does not agree with its checksum"):
        read_sealed_json(path, required=required)


@pytest.mark.parametrize("content", ["", "[1]", "{", "null", '{"a": 1}', "[" * 100_000])
def test_what_is_not_sealed_json_is_damage(path, content):
    path.write_text(content)
    with pytest.raises(DamagedError, match="captioner.json is damaged"):
        read_sealed_json(path)


def test_json_without_a_checksum_is_read_where_it_is_allowed(path):
    path.write_text(json.dumps(VALUE))
    assert read_sealed_json(path, required=False) == VALUE
