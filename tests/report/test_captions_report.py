"""The report about the captions of one revision."""

from __future__ import annotations

import base64
import io
import json
import shutil

import pytest
from experiments import inside
from parsed_page import ParsedPage
from PIL import Image
from report_project import CURVES

from captioning.cli.main import main
from captioning.evaluation.metrics import image_statistics
from captioning.evaluation.predictions import read_predictions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(scenes_report) -> ParsedPage:
    return ParsedPage(scenes_report)


@pytest.fixture
def project(scenes_project, tmp_path):
    """A copy of the project that may be changed."""
    copy = tmp_path / "copy"
    shutil.copytree(scenes_project, copy)
    return copy


def report(project, path, *arguments) -> ParsedPage:
    with inside(project):
        assert main(["report", "-o", str(path), *arguments]) == 0
    return ParsedPage(path)


def test_figures_and_intervals_are_those_of_the_metrics(page, scenes_project):
    figures = json.loads((scenes_project / "metrics/evaluate.json").read_text())
    scores = json.loads((scenes_project / "data/scores.json").read_text())
    for metric, name in (("bleu_4", "BLEU-4"), ("cider_d", "CIDEr-D"), ("rouge_l", "ROUGE-L")):
        low, high = (f"{scores[metric][end]:.3f}" for end in ("low", "high"))
        assert f"{name} {figures[metric]:.3f} {low} to {high}" in page.text
    grounding = figures["grounding"]
    assert f"All colors are there {grounding['colour_true']:.3f}" in page.text
    assert f"In new combinations {grounding['colour_shape_true_held_out']:.3f}" in page.text
    assert f"Different captions {figures['distinct_captions']}" in page.text


def test_the_gallery_has_every_image_with_its_scores(page, scenes_project):
    rows = read_predictions(scenes_project / "data/predictions.jsonl")
    statistics = image_statistics([r.caption for r in rows], [r.references for r in rows])
    items = page.gallery["items"]
    assert [item["id"] for item in items] == [row.image_id for row in rows]
    for item, row, score in zip(items, rows, statistics.cider_d, strict=True):
        (caption,) = item["captions"]
        assert caption["text"] == row.caption
        assert caption["cider_d"] == pytest.approx(score, abs=1e-5)
        assert item["references"] == list(row.references)
        webp, width, height = item["picture"]
        image = Image.open(io.BytesIO(base64.b64decode(webp)))
        assert image.format == "WEBP" and image.size == (width, height) == (64, 64)


def test_wrong_claims_are_those_that_grounding_counts(page, scenes_project):
    figures = json.loads((scenes_project / "metrics/evaluate.json").read_text())["grounding"]
    captions = [item["captions"][0] for item in page.gallery["items"]]
    for claim in ("colour", "shape"):
        wrong = sum(claim in caption.get("wrong", ()) for caption in captions)
        assert wrong and 1 - wrong / len(captions) == pytest.approx(
            figures[f"{claim}_true"], abs=1e-5
        )


def test_learning_curves_have_a_point_for_every_report(page):
    labels = page.text
    for line in CURVES.splitlines()[1:]:
        step, value = line.split(",")[1], float(line.split(",")[5])
        assert f"workspace, validation, optimizer steps {step}: {value:.4g}" in labels
    assert "the weights of step 20 were kept" in page.text


def test_the_page_loads_nothing(page):
    assert page.references() == []
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy and "http" not in policy


def test_the_same_inputs_give_the_same_bytes_anywhere(scenes_report, project, tmp_path):
    report(project, tmp_path / "again.html")
    again = (tmp_path / "again.html").read_bytes()
    assert again == scenes_report.read_bytes()
    assert str(project).encode() not in again


def test_a_limit_leaves_images_out_and_says_so(scenes_project, tmp_path, page):
    small = report(scenes_project, tmp_path / "small.html", "--images", "7")
    assert len(small.gallery["items"]) == 7
    assert "7 of 30 images are shown" in small.text and "The other 23 are left out" in small.text
    # Figures are those of all images.
    assert "BLEU-4" in page.text and _row(small, "BLEU-4") == _row(page, "BLEU-4")
    scores = [item["captions"][0]["cider_d"] for item in small.gallery["items"]]
    every = [item["captions"][0]["cider_d"] for item in page.gallery["items"]]
    assert min(scores) == min(every) and max(scores) == max(every)


def _row(page: ParsedPage, name: str) -> str:
    start = page.text.index(f"{name} 0")
    return page.text[start : start + 40]


def test_pictures_and_attention_can_be_left_out(scenes_project, tmp_path, capsys):
    page = report(scenes_project, tmp_path / "bare.html", "--no-pictures", "--no-attention")
    for item in page.gallery["items"]:
        assert "picture" not in item and "attention" not in item["captions"][0]
    assert "note" not in capsys.readouterr().err


def test_missing_optional_files_are_noted_and_the_report_is_still_written(
    project, tmp_path, capsys
):
    (project / "metrics/training.csv").unlink()
    (project / "data/scores.json").unlink()
    shutil.rmtree(project / "data/model")
    page = report(project, tmp_path / "part.html")
    errors = capsys.readouterr().err
    for line in (
        "note: data/scores.json of workspace is missing: run `dvc checkout` or `dvc repro "
        "evaluate`; the intervals are computed from the captions instead",
        "note: no learning curves: metrics/training.csv of workspace is missing: run "
        "`dvc checkout` or `dvc repro train`",
        "note: no attention maps of workspace: data/model/decoder.keras is missing: run "
        "`dvc repro train`",
    ):
        assert line in errors
    assert "No attention maps of workspace: data/model/decoder.keras is missing" in page.text


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "data/predictions.jsonl",
            "error: data/predictions.jsonl of workspace is missing: run `dvc checkout` or "
            "`dvc repro evaluate`",
        ),
        ("metrics/evaluate.json", "error: metrics/evaluate.json of workspace is missing: run"),
        ("data/raw", "error: there are no pictures: data/raw has no test shard"),
    ],
)
def test_missing_results_are_one_line_that_says_what_to_do(
    project, tmp_path, capsys, missing, message
):
    path = project / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with inside(project):
        assert main(["report", "-o", str(tmp_path / "none.html")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(message) and error.count("\n") == 1 and "dvc repro" in error
    assert not (tmp_path / "none.html").exists()


def test_damaged_files_are_reported_by_name(project, tmp_path, capsys):
    (project / "metrics/training.csv").write_text("step,cross_entropy\n1,many\n")
    with inside(project):
        assert main(["report", "-o", str(tmp_path / "none.html"), "--no-attention"]) == 1
    assert "metrics/training.csv of workspace is not a table of numbers" in capsys.readouterr().err


def test_wrong_outputs_are_refused_before_work(scenes_project, tmp_path, capsys):
    with inside(scenes_project):
        with pytest.raises(SystemExit):
            main(["report", "-o", "report.pdf"])
        assert "give a name that ends in .html" in capsys.readouterr().err
        assert main(["report", "-o", str(tmp_path / "none/report.html")]) == 1
        assert "is not a folder: create it first" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            main(["report", "workspace", "workspace"])
        assert "a revision is given twice" in capsys.readouterr().err
