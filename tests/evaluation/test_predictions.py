"""Reading and writing the file of captions and references."""

from __future__ import annotations

import pytest

from captioning.core.errors import InputError
from captioning.evaluation.predictions import Prediction, read_predictions, write_predictions

ROWS = [
    Prediction(
        image_id="a.jpg",
        caption="собака\u2028бежит",
        references=('A "dog" runs.', "Ein Hund läuft."),
        log_probability=-7.25,
    ),
    Prediction(
        image_id="b", caption="", references=(), log_probability=-0.0, file="pictures/ b.jpg"
    ),
]
LINE = '{"caption": "x", "image_id": "c", "log_probability": -1, "references": ["y"]}'


def test_rows_survive_writing_and_reading(tmp_path):
    path = tmp_path / "new" / "predictions.jsonl"
    assert write_predictions(path, iter(ROWS)) == 2
    assert read_predictions(path) == ROWS
    assert path.read_bytes().decode().split("\n")[0] == (
        '{"caption": "собака\u2028бежит", "image_id": "a.jpg", "log_probability": -7.25, '
        '"references": ["A \\"dog\\" runs.", "Ein Hund läuft."]}'
    )


def test_no_rows_make_an_empty_file(tmp_path):
    path = tmp_path / "predictions.jsonl"
    assert write_predictions(path, []) == 0
    assert path.read_bytes() == b""
    assert read_predictions(path) == []


def test_a_failure_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, ROWS)
    before = path.read_bytes()

    def rows():
        yield ROWS[1]
        raise RuntimeError("decoding failed")

    with pytest.raises(RuntimeError, match="decoding failed"):
        write_predictions(path, rows())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_probability_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite number"):
        Prediction(image_id="a", caption="x", references=(), log_probability=float("nan"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE[:-9], "Invalid JSON: EOF"),
        ("", "Invalid JSON: EOF"),
        ("[]", "should be an object"),
        (LINE.replace('"x"', "3"), "caption: Input should be a valid string"),
        (LINE.replace('"image_id": "c", ', ""), "image_id: Field required"),
        (LINE.replace('["y"]', '"y"'), "references: Input should be a valid array"),
        (LINE.replace('["y"]', '["y", null]'), "references.1: Input should be a valid string"),
        (LINE.replace("-1", "NaN"), "log_probability: Input should be a finite number"),
        (LINE.replace("-1", '"-1"'), "log_probability: Input should be a valid number"),
        (LINE.replace("{", '{"score": 1, '), "score: Extra inputs are not permitted"),
    ],
)
def test_a_bad_line_is_refused_by_number(tmp_path, line, message):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, ROWS)
    path.write_bytes(path.read_bytes() + f"{line}\n".encode())
    with pytest.raises(
        InputError, match=rf"predictions\.jsonl line 3 is not a prediction: .*{message}"
    ):
        read_predictions(path)


def test_a_file_cut_off_is_refused(tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, ROWS)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"predictions\.jsonl line 2 is not a prediction: .*EOF"):
        read_predictions(path)


def test_bytes_that_are_not_utf_8_are_refused(tmp_path):
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(LINE.encode().replace(b"x", b"\xff") + b"\n")
    with pytest.raises(InputError, match=r"predictions\.jsonl line 1 is not a prediction"):
        read_predictions(path)


def test_an_image_named_twice_is_refused(tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, [*ROWS, ROWS[0]])
    with pytest.raises(InputError, match=r"line 3: image 'a\.jpg' is already on line 1"):
        read_predictions(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"predictions\.jsonl is missing: run `dvc repro evaluate`"
    ):
        read_predictions(tmp_path / "predictions.jsonl")
