"""Tables for a terminal and for Markdown."""

from __future__ import annotations

from captioning.experiments.tables import Table

TABLE = Table("Some_things", ("name", "value"), [("a", "1 | 2"), ("longer", "<b>\n`x`")])


def test_columns_of_text_are_aligned():
    table = Table("Things", ("name", ""), [("a", "1"), ("longer", "")])
    assert table.text() == "Things\n  name\n  a       1\n  longer"


def test_markdown_shows_cells_as_they_are():
    assert TABLE.markdown().splitlines() == [
        "### Some\\_things",
        "",
        "| name | value |",
        "| --- | --- |",
        "| a | 1 \\| 2 |",
        "| longer | \\<b\\> \\`x\\` |",
    ]
