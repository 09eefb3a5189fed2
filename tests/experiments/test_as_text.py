"""Reports of a comparison: aligned columns for a terminal, escaped cells for Markdown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioning.evaluation.metrics import METRICS, image_statistics
from captioning.experiments.as_text import as_markdown, as_text
from captioning.experiments.comparison import BaselineDelta, ChangedImage, Comparison, Experiment
from captioning.experiments.revisions import Revision
from captioning.experiments.significance import Difference, Run

NAME = "try_<b>|2"


@pytest.fixture
def comparison() -> Comparison:
    """Two experiments of one revision each; what they hold needs escaping."""
    statistics = image_statistics(["a dog"], [["a dog"]])
    values = dict.fromkeys(METRICS, 0.5)
    run = Run(statistics, values, dict.fromkeys(METRICS, np.full(10, 0.5)))
    changed = ChangedImage("i_1", ("a *dog*",), ("a cat", "a | b"), 1.0, 0.25)
    difference = Difference(-0.1, -0.2, 0.1, 0.25, None)
    return Comparison(
        experiments=tuple(
            Experiment(name, (Revision(name, commit, Path()),))
            for name, commit in (("main", "0123456789"), (NAME, None))
        ),
        images=3,
        runs=((run,), (run,)),
        params={"model.rate": ((0.30,), ("1 | 2",)), "model.long_name": ((None,), (True,))},
        figures={"same": ((1,), (1,)), "other": ((1.5,), (None,))},
        deltas=(BaselineDelta(dict.fromkeys(METRICS, difference), (changed,), 2),),
        notes=("a_note",),
    )


def test_columns_of_text_are_aligned(comparison):
    text = as_text(comparison)
    assert text.split("\n\n")[0] == (
        "Baseline: main\n"
        "  experiment  revision   commit\n"
        "  main        main       0123456\n"
        "  try_<b>|2   try_<b>|2  -"
    )
    assert text.split("\n\n")[1] == (
        "Params that differ\n"
        "  param            main  try_<b>|2\n"
        '  model.rate       0.3   "1 | 2"\n'
        "  model.long_name  null  true"
    )
    assert "  bleu_1   -0.1000 [-0.2000, +0.1000]  0.2500  not significant\n" in text
    assert "Other figures that differ\n  figure  main  try_<b>|2\n  other   1.5   -\n" in text
    assert "    before  a *dog*\n    after   a cat\n    after   a | b\n" in text
    assert text.endswith("\n\nNote: a_note.")


def test_markdown_shows_cells_as_they_are(comparison):
    text = as_markdown(comparison)
    name = r"try\_\<b\>\|2"
    assert f"### {name} against main\n\n| metric " in text
    assert text.split("\n\n")[3:5] == [
        "### Params that differ",
        f"| param            | main   | {name}   |\n"
        "|------------------|--------|-----------------|\n"
        '| model.rate       | 0.3    | "1 \\| 2"        |\n'
        "| model.long\\_name | null   | true            |",
    ]
    assert r"| i\_1    | 1.000 -\> 0.250 (-0.750) | a \*dog\* | a cat / a \| b |" in text
    assert "<details><summary>try_&lt;b&gt;|2 against main: different captions for 2 of 3" in text
    assert text.endswith("\n\nNote: a\\_note.")
    unescaped = text.replace(r"\|", "")
    for block in unescaped.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1
    assert unescaped.count("\n\n| ") == 6
