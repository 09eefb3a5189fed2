"""`captioning compare` on real revisions: workspace, branch, tag, commit, experiment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from imports import ROOT
from small_repository import run

from captioning.cli.main import main
from captioning.core.errors import InputError
from captioning.evaluation.metrics import METRICS
from captioning.experiments.revisions import find_revision, flatten

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fewer_exchanges")]


@pytest.fixture
def compare(experiments, monkeypatch, capsys):
    """Run the command in the repository; give its output where it succeeds, else its error."""
    monkeypatch.chdir(experiments)

    def run(*arguments: str) -> str:
        status = main(["compare", *arguments])
        captured = capsys.readouterr()
        output, silent = (captured.err, captured.out) if status else (captured.out, captured.err)
        assert status in (0, 1) and output and not silent
        return output

    return run


@pytest.fixture
def copy(experiments, tmp_path, monkeypatch) -> Path:
    """A copy of the repository that may be changed."""
    monkeypatch.chdir(shutil.copytree(experiments, tmp_path / "copy", symlinks=True))
    return tmp_path / "copy"


def commit(folder: Path, revision: str = "HEAD") -> str:
    command = ["git", "rev-parse", revision]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout.strip()


def test_all_kinds_of_revision_are_read(experiments, monkeypatch):
    monkeypatch.chdir(experiments / "data")  # Found from a subfolder too.
    head = commit(experiments)
    for name in ("HEAD", "main", "v1", head, head[:8]):
        revision = find_revision(name)
        assert revision.commit == head
        assert revision.params["model.error"] == 0.3 and revision.params["model.names"] is None
        assert revision.figures["shares.right"] == 0.7
        assert len(revision.predictions) == 40
    said = find_revision("HEAD").predictions
    for name in ("s2", "remote"):  # Of `remote`, nothing is in the cache.
        experiment = find_revision(name)
        assert experiment.commit not in (None, head)
        assert len(experiment.predictions) == 40 and experiment.predictions != said
    workspace = find_revision("workspace")
    assert workspace.commit is None and workspace.params["model.error"] == 0.8
    assert workspace.predictions == find_revision("worse").predictions != said


def test_a_real_difference_is_significant(compare):
    document = json.loads(compare("main", "worse", "--json", "--images", "3"))
    assert document["images"] == 40 and document["notes"] == []
    before, after = document["experiments"]
    assert before["revisions"][0]["commit"] != after["revisions"][0]["commit"]
    assert before["params"] == {"model.error": [0.3]} and after["params"] == {"model.error": [0.8]}
    assert after["figures"]["empty_captions"] == [0]
    (against,) = document["against_baseline"]
    assert against["name"] == "worse" and set(against["differences"]) == set(METRICS)
    for metric, difference in against["differences"].items():
        gain = after["metrics"][metric]["value"] - before["metrics"][metric]["value"]
        assert difference["value"] == pytest.approx(gain, abs=2e-6)
        assert difference["high"] < 0 and difference["p"] < 0.002
        assert difference["significant"] and difference["seed_margin"] is None
    changed = against["changed_most"]
    assert len(changed) == 3 and against["changed_images"] == 40
    drops = [image["cider_d_before"] - image["cider_d_after"] for image in changed]
    assert drops == sorted(drops, reverse=True)
    assert "wrong" in changed[0]["after"][0]


def test_metrics_and_intervals_agree_with_stage_evaluate(compare, experiments):
    document = json.loads(compare("HEAD", "--json"))
    recorded = json.loads((experiments / "metrics/evaluate.json").read_text())
    found = document["experiments"][1]["metrics"]
    assert document["experiments"][1]["name"] == "workspace"
    for metric in METRICS:
        assert found[metric]["value"] == pytest.approx(recorded[metric], abs=2e-6)
        assert found[metric]["low"] <= recorded[metric] <= found[metric]["high"]


def test_a_drop_that_is_noise_is_not_significant(compare):
    document = json.loads(compare("main", "small", "s2", "--json"))
    for against in document["against_baseline"]:
        assert against["differences"]["bleu_4"]["value"] < -0.03
        assert against["differences"]["bleu_4"]["verdict"] == "not significant"
    text = compare("main", "small")
    (line,) = (row for row in text.splitlines() if row.startswith("  bleu_4   -"))
    assert line.endswith("not significant")
    assert "small against main: different captions for 5 of 40 images; the largest changes" in text


def test_equal_revisions_differ_by_nothing(compare):
    document = json.loads(compare("main", "v1", "--json"))
    (against,) = document["against_baseline"]
    for difference in against["differences"].values():
        assert [difference[key] for key in ("value", "low", "high", "p")] == [0, 0, 0, 1]
    assert against["changed_most"] == [] and against["changed_images"] == 0
    assert document["experiments"][0]["params"] == {}
    text = compare("main", "v1")
    assert "Params that differ" not in text
    assert "+0.0000 [+0.0000, +0.0000]  1.0000  not significant" in text


def test_the_output_is_the_same_every_time(compare):
    assert compare("main", "s2") == compare("main", "s2")


def test_text_shows_captions_before_and_after(compare):
    lines = compare("main", "worse", "--images", "1").splitlines()
    start = next(i for i, line in enumerate(lines) if "the largest changes" in line)
    assert lines[start + 1].startswith("  image-")
    assert lines[start + 2].startswith("    before  w")
    assert lines[start + 3].startswith("    after   wrong")
    assert lines[start + 4] == ""
    assert "  model.error  0.3   0.8" in lines


def test_rows_of_a_markdown_table_have_equally_many_cells(compare):
    text = compare("main", "worse", "--markdown")
    assert text.startswith("## Captions compared\n") and "<details>" in text
    blocks = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 6
    for block in blocks:
        lines = block.splitlines()
        assert set(lines[1]) == {"|", "-"}
        assert len({line.count("|") for line in lines}) == 1
    assert "| model.error | 0.3    | 0.8     |" in text and "| bleu\\_4  | " in text


def test_seeds_are_compared_by_mean_and_spread(compare):
    document = json.loads(compare("main", "--seeds", "s2", "s3", "remote", "--json"))
    group = document["experiments"][1]
    assert group["name"] == "seeds" and group["params"] == {"train.seed": [2, 3, 5]}
    values = group["metrics"]["bleu_4"]["runs"]
    assert group["metrics"]["bleu_4"]["value"] == pytest.approx(sum(values) / 3, abs=1e-6)
    deviation = sum((value - sum(values) / 3) ** 2 for value in values) / 2
    assert group["metrics"]["bleu_4"]["standard_deviation"] ** 2 == pytest.approx(deviation, 1e-3)
    assert document["experiments"][0]["metrics"]["bleu_4"]["standard_deviation"] is None
    difference = document["against_baseline"][0]["differences"]["bleu_4"]
    assert difference["seed_margin"] > 0 and not difference["significant"]
    assert any(len(i["after"]) > 1 for i in document["against_baseline"][0]["changed_most"])
    assert document["notes"] == []


def test_groups_of_seeds_are_compared_with_each_other(compare):
    text = compare("--seeds", "v1", "s2", "--seeds", "s3", "worse")
    assert "seeds 2 against seeds 1" in text and "margin over seeds" in text
    assert " ± " in text and "train.seed   1, 2     3, 1" in text
    assert "the revisions of seeds 2 differ in more than the seed (model.error)" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "there is no revision 'nope': give workspace, a branch"),
        (["HEAD", "fewer"], r"fewer lacks 4 images (image-36, image-37, image-38, …), which HEAD"),
        (["fewer", "HEAD"], r"fewer lacks 4 images (image-36, image-37, image-38, …), which HEAD"),
        (["HEAD", "others"], "others has other references than HEAD for 40 images (image-00, "),
        (["HEAD", "gone"], "data/predictions.jsonl of gone is not in Git, the DVC cache or"),
    ],
)
def test_the_error_names_what_cannot_be_compared(compare, arguments, message):
    output = compare(*arguments)
    assert output.startswith("error: ") and message in output and "Traceback" not in output


@pytest.mark.parametrize(
    ("path", "content", "part", "message"),
    [
        ("data/predictions.jsonl", None, "predictions", "of workspace is missing: run `dvc check"),
        ("metrics/evaluate.json", None, "figures", "of workspace is missing: run `dvc checkout`"),
        ("metrics/evaluate.json", "[]", "figures", "of workspace must contain a JSON object"),
        ("metrics/evaluate.json", "{", "figures", "of workspace is not valid JSON"),
        ("params.yaml", "a: [", "params", "of workspace is not valid YAML"),
        ("params.yaml", "- 1", "params", "of workspace must contain a mapping"),
    ],
)
def test_invalid_files_of_the_workspace_are_named(copy, path, content, part, message):
    Path(path).unlink()
    if content is not None:
        Path(path).write_text(content)
    with pytest.raises(InputError, match=f"{path} {message}"):
        getattr(find_revision("workspace"), part)


def test_invalid_captions_are_named_by_revision_and_line(copy, capsys):
    Path("data/predictions.jsonl").write_text("{}\n")
    assert main(["compare", "HEAD"]) == 1
    error = capsys.readouterr().err
    assert "data/predictions.jsonl of workspace line 1 is not a prediction: image_id" in error


def test_figures_that_do_not_belong_to_the_captions_are_noted(copy, capsys):
    Path("metrics/evaluate.json").write_text('{"bleu_4": 0.9}')
    assert main(["compare", "HEAD"]) == 0
    output = capsys.readouterr().out
    assert "metrics/evaluate.json of workspace says bleu_4 0.9000, but its captions score" in output


def test_a_folder_outside_a_repository_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "HEAD"]) == 1
    assert "this folder is not in a DVC repository" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a baseline to compare with"),
        (["--seeds", "a", "b"], "give a baseline to compare with"),
        (["a", "--json", "--markdown"], "not allowed with argument"),
        (["a", "--images", "-1"], "the number of images must be 0 or more"),
    ],
)
def test_wrong_usage_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["compare", *arguments])
    assert message in capsys.readouterr().err


def test_nested_mappings_get_dotted_keys():
    nested = {"a": {"b": {"c": 1}, "d": [2]}, "e": {}, "f": None}
    assert flatten(nested) == {"a.b.c": 1, "a.d": [2], "e": {}, "f": None}


def test_comparing_imports_no_tensorflow():
    code = (
        "import sys\nimport captioning.cli.main, captioning.experiments.gate\n"
        "import captioning.experiments.as_json, captioning.experiments.as_text\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    run(ROOT, sys.executable, "-c", code)


def test_dvc_shows_differences_of_metrics_in_the_width_of_a_terminal(experiments):
    command = ["metrics", "diff", "main", "worse"]
    shown = run(experiments, sys.executable, "-m", "dvc", *command, errors=False)
    assert "bleu_4" in shown and "signature" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_dvc_shows_what_changed_between_experiments_in_a_few_columns(experiments):
    wanted = "(?!Experiment|bleu_4|cider_d|train|model)"
    command = ["exp", "show", "--csv", "--only-changed", "--drop", wanted]
    shown = run(experiments, sys.executable, "-m", "dvc", *command, errors=False)
    columns = shown.splitlines()[0].split(",")
    assert columns[-4:] == ["bleu_4", "cider_d", "model.error", "train.seed"]
    assert not any(name.startswith(("distinct", "metrics", "evaluate.py")) for name in columns)
