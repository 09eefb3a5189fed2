"""What stage `evaluate` prints last: scores, notes, and warnings of captions that say nothing."""

from __future__ import annotations

import pytest

from captioning.evaluation.closing_lines import closing_lines
from captioning.evaluation.scoring import score


def lines(captions: list[str]) -> list[str]:
    references = [[f"a red star number {n}", f"star {n}"] for n in range(len(captions))]
    return list(closing_lines(score(captions, references, 100, 1), captions))


def different(number: int) -> list[str]:
    return [f"a star number {n}" for n in range(number)]


def test_the_scores_are_shown_with_their_intervals():
    (line,) = lines(different(12))
    # Of the words "a star number n", all are right and in the second reference half are missing.
    assert line == (
        "evaluate: BLEU-1 0.779 [0.779, 0.779], BLEU-4 0.000 [0.000, 0.000], "
        "ROUGE-L 1.000 [1.000, 1.000], CIDEr-D 4.159 [4.159, 4.159] over 12 images"
    )


def test_what_a_single_image_does_not_define_is_said():
    first, note = lines(["a red star"])
    assert "CIDEr-D not defined over 1 image" in first and "[" not in first
    assert note.startswith("note: cider_d is not defined")


@pytest.mark.parametrize(
    ("captions", "warnings"),
    [
        ([""] * 7 + ["a star"], ["warning: 7 of 8 captions are empty: "]),
        (["", *different(7)], ["warning: 1 of 8 captions is empty: "]),
        ([""] * 3, ["warning: 3 of 3 captions are empty: "]),
        (["a star"] * 3, ["warning: all 3 images have the same caption 'a star': "]),
        (["a star"] * 6 + different(6), ["warning: 6 of 12 images have the same caption 'a star'"]),
        (["a star"] * 5 + different(6), []),
        (["a star"] * 2 + different(1), []),
        (["a star"], []),
        (
            ["a star"] * 6 + [""] * 4,
            ["warning: 4 of 10 captions are empty", "warning: 6 of 10 images have the same"],
        ),
    ],
)
def test_captions_that_are_empty_or_alike_are_warned_of_with_what_to_try(captions, warnings):
    found = [line for line in lines(captions) if line.startswith("warning")]
    assert [line[: len(start)] for line, start in zip(found, warnings, strict=True)] == warnings
    assert all("train more steps (raise train.epochs" in line for line in found)
