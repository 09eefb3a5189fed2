"""The report about a dataset."""

from __future__ import annotations

import json
import shutil

import pytest
from experiments import inside
from parsed_page import ParsedPage
from report_project import start_repository, write_pictures

from captioning.cli.main import main
from captioning.data.raw_table import read_raw
from captioning.text import WordVocabulary

pytestmark = pytest.mark.slow
NAMES = ["a red dog", "a blue dog runs", "two cats"]


@pytest.fixture(scope="module")
def page(scenes_project, tmp_path_factory) -> ParsedPage:
    path = tmp_path_factory.mktemp("pages") / "data.html"
    with inside(scenes_project):
        assert main(["report", "--data", "-o", str(path), "--images", "20"]) == 0
    return ParsedPage(path)


@pytest.fixture
def project(tmp_path):
    """Pictures that all splits share, with a vocabulary that lacks two of their words."""
    start_repository(tmp_path / "project")
    write_pictures(tmp_path / "project/data/raw", NAMES)
    (tmp_path / "project/data/vocabulary").mkdir()
    WordVocabulary.fit(["a red dog two again"], 20).save(tmp_path / "project/data/vocabulary")
    return tmp_path / "project"


def report(project, path, *arguments) -> ParsedPage:
    with inside(project):
        assert main(["report", "--data", "-o", str(path), *arguments]) == 0
    return ParsedPage(path)


def test_numbers_are_those_of_the_raw_table(page, scenes_project):
    rows = [list(read_raw(scenes_project / "data/raw", s)) for s in ("train", "validation", "test")]
    images = " ".join(str(len(split)) for split in rows)
    captions = " ".join(str(sum(len(row["captions"]) for row in split)) for split in rows)
    assert f"Images {images} Captions {captions}" in page.text
    words = " ".join(
        str(len({word for row in split for c in row["captions"] for word in c.split()}))
        for split in rows
    )
    assert f"Different words {words}" in page.text
    assert "64 × 64" in page.text


def test_pictures_are_spread_over_the_splits_and_the_rest_is_named(page):
    splits = [item["split"] for item in page.gallery["items"]]
    assert splits == ["train"] * 6 + ["validation"] * 4 + ["test"] * 10
    assert "20 of 42 pictures are shown" in page.text
    assert "the other 22 are left out" in page.text


def test_rejected_images_are_listed_by_reason(page):
    assert "corrupt <image> 2 2 one.jpg two.jpg" in page.text
    assert "empty caption 1 1 three" in page.text


def test_words_outside_of_the_vocabulary_have_examples(project, tmp_path):
    text = report(project, tmp_path / "data.html").text
    assert "train: 3 word times example" in text
    assert "blue 2 a blue dog runs" in text and "cats 2 two cats" in text


def test_equal_pictures_in_several_splits_are_found(project, tmp_path):
    text = report(project, tmp_path / "data.html").text
    assert "3 images occur more than once" in text
    assert "traina red dog (train) = validationa red dog (validation) = testa red dog" in text
    assert "Captions that a train image has, too – 100.0 % 100.0 %" in text


def test_the_same_data_give_the_same_bytes(project, tmp_path):
    report(project, tmp_path / "one.html")
    shutil.copytree(project, tmp_path / "elsewhere")
    report(tmp_path / "elsewhere", tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert ParsedPage(tmp_path / "one.html").references() == []


def test_missing_files_are_noted_or_reported(project, tmp_path, capsys):
    shutil.rmtree(project / "data/vocabulary")
    report(project, tmp_path / "data.html")
    errors = capsys.readouterr().err
    assert "note: nothing about words outside of the vocabulary: data/vocabulary" in errors
    assert "note: nothing about rejected images: metrics/download.json of workspace" in errors
    shutil.rmtree(project / "data/raw")
    with inside(project):
        assert main(["report", "--data", "-o", str(tmp_path / "none.html")]) == 1
    assert "data/raw has no train shard" in capsys.readouterr().err


def test_damaged_figures_are_reported_by_name(project, tmp_path, capsys):
    (project / "metrics").mkdir()
    (project / "metrics/download.json").write_text(json.dumps({"rejected": 3}))
    with inside(project):
        assert main(["report", "--data", "-o", str(tmp_path / "none.html")]) == 1
    error = capsys.readouterr().err
    assert "metrics/download.json of workspace does not say what was rejected" in error
