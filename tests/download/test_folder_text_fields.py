"""What quotes and lists in the fields of caption files mean."""

from __future__ import annotations

import csv
import json

import pyarrow as pa
import pytest
from own_pictures import captions, picture, read, write, write_parquet

from captioning.core.errors import InputError
from captioning.download.datasets.folder.caption_lists import listed_captions

NAMES = ("red.png", "green.png", "blue.png")
# Captions with every sign that matters to a writer of tables.
ODD = ('A "red" field', "Two\nlines", "a\ttab, a comma")


def tsv(*values: str) -> str:
    """A table of one caption for each of `NAMES`, separated by tabs, without any quoting."""
    rows = zip(NAMES, values, strict=True)
    return "image\tcaption\n" + "".join(f"{name}\t{value}\n" for name, value in rows)


@pytest.mark.parametrize(
    "values",
    [
        ('"to be', 'or not to be"', "x"),
        ('"Stop", says the sign', 'a "quoted" word', "x"),
        ('"Stop"', "x", "y"),
        ('5" disc', "6' 2\" man", '""'),
    ],
)
def test_quotes_in_a_tsv_that_is_not_quoted_are_text(tmp_path, values):
    values = tuple(f"{value} end" if value == '""' else value for value in values)
    found = captions(write(tmp_path, {"captions.tsv": tsv(*values)}))
    assert found == {name: (value,) for name, value in zip(NAMES, values, strict=True)}


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize(("name", "delimiter"), [("captions.tsv", "\t"), ("captions.csv", ",")])
def test_a_consistently_quoted_table_gives_back_what_was_written(
    tmp_path, quoting, name, delimiter
):
    with open(write(tmp_path, {}) / name, "w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting)
        writer.writerows([("image", "caption"), *zip(NAMES, ODD, strict=True)])
    assert captions(tmp_path) == {n: (text,) for n, text in zip(NAMES, ODD, strict=True)}


def test_a_quoted_field_of_a_csv_that_contains_another_row_is_an_error(tmp_path):
    table = 'image,caption\nred.png,"to be\ngreen.png,or not to be"\nblue.png,Sky\n'
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, {"captions.csv": table}))
    assert str(caught.value).split("\n  ")[1:] == [
        "captions.csv:2: a quoted field reaches to line 3 and contains the row of 'green.png': "
        "put fields with double quotes in double quotes, and double the quotes inside"
    ]


def test_a_csv_file_whose_columns_are_separated_by_tabs_is_read(tmp_path):
    write(tmp_path, {"captions.csv": "\n" + tsv("a, b", "c", "d")})
    assert captions(tmp_path)["red.png"] == ("a, b",)


# Lists of captions.

TWO = ["A dog's run.", 'Brown "dog"']
LISTS = [
    json.dumps(TWO),
    repr(TWO),
    " " + json.dumps(TWO, indent=1) + "\n",
    "['A dog\\'s run.'\n 'Brown \"dog\"']",
    "['A dog\\'s run.' , 'Brown \"dog\"', ]",
]


@pytest.mark.parametrize("column", ["caption", "captions", "text", "sentences"])
@pytest.mark.parametrize("written", LISTS)
def test_a_list_in_any_column_of_captions_is_several_captions(tmp_path, column, written):
    write(tmp_path, {})
    rows = [("red.png", written), ("green.png", "g"), ("blue.png", "b")]
    with open(tmp_path / "captions.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", column), *rows])
    assert captions(tmp_path)["red.png"] == tuple(TWO)


def test_a_list_in_a_text_of_json_or_parquet_is_several_captions(tmp_path):
    rows = [("red.png", repr(TWO)), ("green.png", "g"), ("blue.png", "b")]
    schema = {"image": pa.string(), "caption": pa.string()}
    write_parquet(write(tmp_path / "a", {}) / "captions.parquet", schema, *rows)
    lines = "\n".join(json.dumps({"image": name, "caption": text}) for name, text in rows)
    write(tmp_path / "b", {"captions.jsonl": lines})
    assert captions(tmp_path / "a")["red.png"] == tuple(TWO)
    assert captions(tmp_path / "b")["red.png"] == tuple(TWO)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("[music] plays", "[music] plays"),
        ("[h]", "[h]"),
        ("a [b]", "a [b]"),
        ("[]", []),
        ("['a\\d', \"b\"]", ["a\\d", "b"]),
        ("['one']", ["one"]),
        ('[["a"]]', [["a"]]),
    ],
)
def test_what_is_a_list(written, value):
    assert listed_captions(written) == value


@pytest.mark.parametrize(
    "written", ["['a", "['a', b]", '["a" "b', "[None]", "['a', nan]", "['a']]", "[nan]", "['\\x']"]
)
def test_what_only_begins_like_a_list_is_an_error(written):
    with pytest.raises(ValueError, match="neither a JSON nor a Python list"):
        listed_captions(written)


@pytest.mark.parametrize(
    "hostile", ["[" * 100_000, "['a'" + " " * 200_000 + "x", "[" + " " * 200_000]
)
def test_a_long_text_that_is_almost_a_list_takes_no_time(hostile):
    try:
        assert listed_captions(hostile) == hostile
    except ValueError as error:
        assert "neither" in str(error)


# JSON arrays where JSON Lines are expected.


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_array_is_read_where_json_lines_are_expected(tmp_path, indent):
    rows = [{"image": name, "caption": f"A {name}"} for name in NAMES]
    write(tmp_path, {"captions.jsonl": "\ufeff" + json.dumps(rows, indent=indent)})
    assert captions(tmp_path) == {name: (f"A {name}",) for name in NAMES}


def test_problems_of_a_json_array_have_line_numbers(tmp_path):
    text = (
        '[\n  {"image": "red.png",\n   "caption": "r"},\n  {"image": 7, "caption": "x"},\n'
        '  "text",\n  {"image": "green.png", "capt'
    )
    write(tmp_path, {"captions.jsonl": text, "pink.png": picture("pink")})
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert str(caught.value).split("\n  ")[1:] == [
        "captions.jsonl:4: the image must be a path or an image file's bytes, not 7",
        "captions.jsonl:5: is not a JSON object",
        "captions.jsonl:6: the JSON array is damaged or cut off (Unterminated string starting at)",
    ]
