"""`captioning gate`: limits, checks, exit status."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest
from imports import ROOT
from ruamel.yaml import YAML

from captioning.cli.main import main
from captioning.core.errors import InputError
from captioning.evaluation.metrics import METRICS
from captioning.experiments.gate import Metric, load_limits

pytestmark = pytest.mark.usefixtures("fewer_exchanges")


@pytest.fixture
def gate(experiments, monkeypatch, capsys, tmp_path):
    """Run the command with these limits; give the exit status, the lines and the error."""
    monkeypatch.chdir(experiments)

    def run(limits: str, *arguments: str) -> tuple[int, list[str], str]:
        path = tmp_path / "limits.yaml"
        path.write_text(limits)
        status = main(["gate", "--limits", str(path), *arguments])
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err

    return run


LIMITS = """
floors: {bleu_4: 0.3, shares.right: 0.5}
largest_significant_drop: {bleu_4: 0.01, cider_d: 0}
"""


@pytest.mark.slow
def test_a_drop_that_is_noise_passes(gate):
    status, lines, error = gate(LIMITS, "small", "--base", "main")
    assert (status, error) == (0, "")
    assert lines[0] == "pass  bleu_4: 0.371865 is at least 0.3"
    assert lines[1] == ("pass  shares.right: 0.69 is at least 0.5; as recorded, not computed again")
    for line in lines[2:]:
        assert line.startswith("pass  ") and "] against main, p = 0.0" in line
        assert line.endswith("the drop is not significant")
    assert len(lines) == 4


@pytest.mark.slow
def test_every_failure_has_a_reason(gate):
    limits = LIMITS.replace("{bleu_4: 0.3,", "{bleu_4: 0.3, bleu_9: 0,")
    status, lines, error = gate(limits, "--base", "HEAD")  # The workspace holds `worse`.
    assert (status, error) == (1, "")
    assert lines[0] == "FAIL  bleu_4: 0 is below the floor of 0.3"
    assert lines[1] == "FAIL  bleu_9: metrics/evaluate.json of workspace holds no such number"
    assert lines[2] == "FAIL  shares.right: 0.2 is below the floor of 0.5"
    assert lines[3].startswith("FAIL  bleu_4: -0.4206 [") and "p = 0.0010" in lines[3]
    assert lines[3].endswith("against HEAD, p = 0.0010: a significant drop of more than 0.01")
    assert lines[4].startswith("FAIL  cider_d: -") and len(lines) == 5


@pytest.mark.slow
def test_a_significant_drop_within_the_limit_and_a_gain_pass(gate):
    limits = "largest_significant_drop: {bleu_1: 0.6}"
    status, (line,), _ = gate(limits, "worse", "--base", "main")
    assert status == 0 and line.endswith("the drop is at most the allowed 0.6")
    status, (line,), _ = gate("largest_significant_drop: {bleu_1: 0}", "main", "--base", "worse")
    assert status == 0 and line.endswith("no drop")
    status, (line,), _ = gate("largest_significant_drop: {bleu_1: 0}", "main", "--base", "v1")
    assert status == 0 and line.endswith("p = 1.0000: no drop")


@pytest.mark.slow
def test_floors_need_the_captions_but_no_base(gate):
    status, lines, _ = gate("floors: {bleu_1: 0.5}", "main")
    assert (status, lines) == (0, ["pass  bleu_1: 0.6875 is at least 0.5"])
    status, lines, error = gate("floors: {bleu_1: 0.5}", "gone")
    assert (status, lines) == (2, []) and "data/predictions.jsonl of gone is not in" in error


@pytest.mark.slow
def test_figures_that_do_not_belong_to_the_captions_do_not_pass(
    gate, experiments, tmp_path, monkeypatch
):
    monkeypatch.chdir(shutil.copytree(experiments, tmp_path / "copy", symlinks=True))
    Path("metrics/evaluate.json").write_text('{"bleu_4": 0.9}')
    limits = "floors: {bleu_4: 0.8}\nlargest_significant_drop: {bleu_4: 1}"
    status, lines, _ = gate(limits, "--base", "main")
    assert status == 1
    assert [line[:4] for line in lines] == ["FAIL", "pass"]
    assert "says bleu_4 0.9000, but its captions score 0.0000" in lines[0]
    # Floors alone, and figures of the base, are checked, too.
    status, lines, _ = gate("floors: {bleu_4: 0.8}")
    assert status == 1 and [line[:4] for line in lines] == ["FAIL"]
    limits = "largest_significant_drop: {bleu_4: 1}"
    status, lines, _ = gate(limits, "main", "--base", "workspace")
    assert status == 1 and [line[:4] for line in lines] == ["FAIL", "pass"]
    assert "of workspace says bleu_4 0.9000" in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400])
def test_a_figure_that_is_not_finite_does_not_pass(
    gate, experiments, tmp_path, monkeypatch, number
):
    monkeypatch.chdir(shutil.copytree(experiments, tmp_path / "copy", symlinks=True))
    Path("metrics/evaluate.json").write_text(f'{{"bleu_4": {number}, "other": {number}}}')
    status, lines, _ = gate("floors: {bleu_4: 0.75, other: 0}")
    assert status == 1 and [line[:4] for line in lines] == ["FAIL"] * 2
    assert all("which is not a finite number" in line for line in lines)
    limits = "largest_significant_drop: {bleu_4: 1}"
    status, lines, _ = gate(limits, "main", "--base", "workspace")
    assert status == 1 and [line[:4] for line in lines] == ["FAIL", "pass"]
    # The comparison notes it, and stays valid JSON.
    assert main(["compare", "main", "workspace", "--json"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope", "--base", "main"], "there is no revision 'nope'"),
        (["main", "--base", "nope"], "there is no revision 'nope'"),
        (["main", "--base", "gone"], "data/predictions.jsonl of gone is not in"),
        (["fewer", "--base", "main"], "fewer lacks 4 images"),
    ],
)
def test_the_status_is_2_if_limits_cannot_be_checked(gate, arguments, message):
    status, lines, error = gate(LIMITS, *arguments)
    assert (status, lines) == (2, []) and message in error


@pytest.mark.slow
def test_limits_of_drops_need_a_base(gate, capsys):
    with pytest.raises(SystemExit, match="2"):
        gate(LIMITS)
    assert "give the revision from which they are measured, with --base" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("floor: {bleu_4: 0.6}", "floor: unknown key"),
        ("floors: {bleu_4: high}", "floors.bleu_4: Input should be a valid number"),
        ("floors: {bleu_4: .nan}", "floors.bleu_4: Input should be a finite number"),
        ("floors: {grounding: {x: 1}}", "floors.grounding: Input should be a valid number"),
        ("largest_significant_drop: {bleu: 1}", r"largest_significant_drop.bleu.*'cider_d'"),
        ("largest_significant_drop: {bleu_4: -1}", "drop.bleu_4: Input should be greater than or"),
        ("floors: {}", "sets no limit: give floors or largest_significant_drop"),
        ("- 1", "must contain a mapping"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_invalid_limits_are_refused_by_name(limits, message, tmp_path, capsys):
    path = tmp_path / "limits.yaml"
    path.write_text(limits)
    with pytest.raises(InputError, match=message):
        load_limits(path)
    assert main(["gate", "--limits", str(path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_every_metric_can_be_limited():
    assert get_args(Metric) == METRICS


def test_missing_limits_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["gate"]) == 2
    assert "gate.yaml is missing" in capsys.readouterr().err


def test_the_projects_own_limits_are_valid():
    limits = load_limits(ROOT / "gate.yaml")
    assert limits.floors and limits.largest_significant_drop


def test_the_workflow_calls_commands_that_exist():
    text = (ROOT / ".github/workflows/pipeline.yml").read_text(encoding="utf-8")
    (job,) = YAML(typ="safe", pure=True).load(text)["jobs"].values()
    script = "\n".join(step.get("run", "") for step in job["steps"])
    calls = [part.split() for part in script.splitlines() if part.startswith("captioning ")]
    assert {call[1] for call in calls} == {"compare", "gate"}
    for command in ("make setup", "dvc pull", "dvc repro --dry"):
        assert command in script
    assert "${{" not in script, "expressions in a script may be injected: use env"
    assert "pypi" not in text and "index" not in text
