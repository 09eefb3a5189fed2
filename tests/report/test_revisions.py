"""Reports about several revisions of a DVC repository."""

from __future__ import annotations

import pytest
from experiments import inside
from parsed_page import ParsedPage

from captioning.cli.main import main
from captioning.experiments.comparison import Experiment, compare
from captioning.experiments.revisions import find_revision

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(two_report) -> ParsedPage:
    return ParsedPage(two_report)


def test_the_comparison_is_that_of_compare(two_revisions, page):
    with inside(two_revisions):
        names = ("half", "workspace")
        experiments = [Experiment(name, (find_revision(name),)) for name in names]
        comparison = compare(experiments, 100)
    (delta,) = comparison.deltas
    difference = delta.differences["cider_d"]
    assert f"CIDEr-D {difference.value:+.4f} [{difference.low:+.4f}" in page.text
    assert f"{difference.p:.4f} {difference.verdict}" in page.text
    assert f"{delta.changed_total} of 30 images have another caption by workspace" in page.text
    assert "5000 exchanges" in page.text


def test_the_captions_that_changed_most_come_first(page):
    (strip,) = [a["data-numbers"] for _, a in page.elements if a.get("data-numbers")]
    items = {item["number"]: item for item in page.gallery["items"]}
    shown = [abs(items[int(number)]["captions"][1]["change"]) for number in strip.split()]
    changes = [abs(item["captions"][1]["change"]) for item in page.gallery["items"]]
    assert shown == sorted(changes, reverse=True)[: len(shown)] and shown[0] > 0
    for item in page.gallery["items"]:
        before, after = item["captions"]
        assert after["change"] == pytest.approx(after["cider_d"] - before["cider_d"], abs=2e-6)


def test_captions_pictures_and_attention_of_a_commit_come_from_the_cache(two_revisions, tmp_path):
    path = tmp_path / "commit.html"
    hidden = two_revisions / "data/raw"
    hidden.rename(tmp_path / "raw")
    try:
        with inside(two_revisions):
            assert main(["report", "half", "-o", str(path)]) == 0
    finally:
        (tmp_path / "raw").rename(hidden)
    items = ParsedPage(path).gallery["items"]
    assert all("picture" in item and "attention" in item["captions"][0] for item in items)


def test_half_of_a_limited_gallery_are_changed_captions(two_revisions, tmp_path):
    path = tmp_path / "few.html"
    with inside(two_revisions):
        arguments = ["--images", "8", "--no-attention", "-o", str(path)]
        assert main(["report", "half", "workspace", *arguments]) == 0
    page = ParsedPage(path)
    changed = [i for i in page.gallery["items"] if len({c["text"] for c in i["captions"]}) > 1]
    assert len(page.gallery["items"]) == 8 and len(changed) >= 4
    assert "half of them are those whose captions changed most" in page.text


def test_experiments_of_a_real_repository(experiments, tmp_path, fewer_exchanges):
    path = tmp_path / "experiments.html"
    with inside(experiments):
        assert main(["report", "v1", "worse", "s2", "--no-pictures", "-o", str(path)]) == 0
    page = ParsedPage(path)
    assert page.gallery["revisions"] == ["v1", "worse", "s2"]
    assert "model.error 0.3 0.8 0.3" in page.text
    assert all(len(item["captions"]) == 3 for item in page.gallery["items"])


def test_a_revision_without_predictions_is_named(experiments, tmp_path, capsys):
    with inside(experiments):
        path = str(tmp_path / "none.html")
        assert main(["report", "v1", "gone", "--no-pictures", "-o", path]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: data/predictions.jsonl of gone is not in Git, the DVC cache")
    assert "run the experiment again" in error


def test_other_test_sets_are_refused(experiments, tmp_path, capsys):
    with inside(experiments):
        assert main(["report", "v1", "fewer", "-o", str(tmp_path / "none.html")]) == 1
    assert "fewer lacks 4 images" in capsys.readouterr().err
