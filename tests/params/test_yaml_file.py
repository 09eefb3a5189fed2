"""A settings file that cannot be read is refused in one line that says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from imports import ROOT

from captioning.core.errors import InputError
from captioning.params.stages import load_params
from captioning.params.yaml_file import MAX_BYTES, parse_mapping

OWN = (ROOT / "params.yaml").read_text(encoding="utf-8")
LINES = OWN.count("\n")


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_params(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert len(message) < len(str(path)) + 300
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("appended", "reason"),
    [
        ("a: 2001-99-99", "line {}: a value is impossible: month must be in 1..12"),
        ("a: !!int abc", "line {}: a value is impossible: invalid literal for int"),
        ("a: !!int ''", "line {}: a value is impossible: "),
        ("a: !!float ''", "line {}: a value is impossible: "),
        ("a: !!timestamp x", "line {}: "),
        ("a: !!bool 7", "line {}: a value is impossible: "),
        (f"a: {'7' * 5000}", "line {}: a value is impossible: Exceeds the limit"),
        ("a: !!python/object:os.system {}", "line {}: could not determine a constructor"),
        ("a: *unknown", "line {}: found undefined alias"),
        ("dataset: flickr8k", 'line {}: found duplicate key "dataset" with value "flickr8k"'),
        ("a: [1, 2", "line "),
        ("a: 'unfinished", "line "),
        ("\tb: 1", "line {}: "),
        ("? [a]\n: {b: [}", "line "),
        ("---\na: 1", "line {}: but found another document"),
        ("a: \x07", "unacceptable character #x0007"),
        ("a: " + "[" * 5000 + "]" * 5000, "its values are nested too deeply"),
        ("a: " + "[" * 5000, "its values are nested too deeply"),
        ("a: " + "{b: " * 5000, "its values are nested too deeply"),
    ],
    ids=lambda text: text[:20],
)
def test_yaml_that_breaks_the_loader_is_named_with_its_line(tmp_path, appended, reason):
    path = tmp_path / "params.yaml"
    path.write_text(f"{OWN}{appended}\n", encoding="utf-8")
    assert refusal(path).startswith(f" is not valid YAML: {reason.format(LINES + 1)}")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"dataset: \xff\n")
    assert "is not valid YAML: 'utf-8' codec can't decode byte 0xff" in refusal(path)


@pytest.mark.parametrize(
    "content", [OWN * (10_000_000 // len(OWN)), "a" * 10_000_000, "[" * (MAX_BYTES + 1)]
)
def test_a_file_of_megabytes_is_refused_unparsed(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content, encoding="utf-8")
    assert refusal(path) == " is larger than 1000 kB: it is no file of settings"


@pytest.mark.parametrize("text", ["", "~", "7", "text", "- a\n- b\n", "[]"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    assert refusal(path) == " must contain a mapping of sections"


def test_a_folder_a_pipe_and_a_device_are_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.mkdir()
    assert refusal(path) == " is a folder: it must be a YAML file"
    path.rmdir()
    os.mkfifo(path)
    assert refusal(path) == " is no regular file: it must be a YAML file"
    path.unlink()
    path.symlink_to("/dev/zero")
    assert refusal(path) == " is no regular file: it must be a YAML file"


def test_a_missing_file_and_a_broken_link_are_refused(tmp_path):
    path = tmp_path / "params.yaml"
    assert refusal(path) == " is missing: run from the repository's root"
    path.symlink_to("nowhere.yaml")
    assert refusal(path) == " is missing: run from the repository's root"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(OWN, encoding="utf-8")
    path.chmod(0)
    assert refusal(path) == " cannot be read: Permission denied"


def test_values_are_those_of_the_plain_loader():
    content = "a: 6e-4\nb: 0x10\nc: 2001-01-01\nd: [1, ~, true, {e: '7'}]\nf: &x [no]\ng: *x\n"
    values = parse_mapping(content.encode(), "file")
    assert values.pop("c").isoformat() == "2001-01-01"
    assert values == {
        "a": 6e-4,
        "b": 16,
        "d": [1, None, True, {"e": "7"}],
        "f": ["no"],
        "g": ["no"],
    }


def test_aliases_that_multiply_are_shown_in_part(tmp_path):
    rows = [f"a0: &a0 [{', '.join('x' * 10)}]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = OWN.replace("dataset: scenes", "\n".join([*rows, "dataset: *a11"]))
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="dataset: Input should be") as caught:
        load_params(tmp_path / "params.yaml")
    assert len(str(caught.value)) < 1500
