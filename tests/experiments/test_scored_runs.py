"""Revisions are compared with the same tokenizer, whatever each was evaluated with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from captioning.core.errors import InputError
from captioning.core.files import write_json
from captioning.evaluation.predictions import Prediction, write_predictions
from captioning.evaluation.scoring import score
from captioning.evaluation.words import ScoringTokenizer
from captioning.experiments.comparison import Experiment, compare
from captioning.experiments.gate import Limits, drop_checks
from captioning.experiments.revisions import Revision
from captioning.experiments.scored_runs import (
    common_tokenizer,
    own_tokenizer,
    stale_figures,
)

REFERENCES = [["빨간 별이 왼쪽에 있습니다"], ["파란 원이 있다"], ["노란 Ａ 사각형"]]
CAPTIONS = ["빨간 별이 왼쪽에 있다", "파란 원이", "노란 a 사각형"]

pytestmark = pytest.mark.usefixtures("fewer_exchanges")


def revision(folder: Path, name: str, captions: list[str], **params: dict[str, object]) -> Revision:
    """What a run with these params leaves behind."""
    root = folder / name
    rows = [
        Prediction(
            image_id=str(number), caption=caption, references=tuple(given), log_probability=-1.0
        )
        for number, (caption, given) in enumerate(zip(captions, REFERENCES, strict=True))
    ]
    write_predictions(root / "data/predictions.jsonl", rows)
    YAML().dump({"train": {"seed": 1}, **params}, root / "params.yaml")
    found = Revision(name, None, root)
    report = score(captions, REFERENCES, 100, 1, tokenizer=own_tokenizer(found))
    write_json(root / "metrics/evaluate.json", report.figures)
    return found


@pytest.fixture
def words(tmp_path) -> Revision:
    return revision(tmp_path, "words", CAPTIONS)


@pytest.fixture
def characters(tmp_path) -> Revision:
    evaluate, vocabulary = {"tokenizer": "char"}, {"normalization": "nfkc"}
    return revision(tmp_path, "characters", CAPTIONS, evaluate=evaluate, vocabulary=vocabulary)


def test_params_name_the_tokenizer_and_older_params_mean_the_default(words, characters):
    assert own_tokenizer(words) == ScoringTokenizer()
    assert own_tokenizer(characters) == ScoringTokenizer("char", "nfkc")


def test_all_revisions_use_the_baselines_tokenizer_and_nfkc_if_one_does(words, characters):
    assert common_tokenizer([words, characters]) == ScoringTokenizer("none", "nfkc")
    assert common_tokenizer([characters, words]) == ScoringTokenizer("char", "nfkc")
    assert common_tokenizer([words, words]) == ScoringTokenizer()


def test_equal_captions_score_alike_whatever_they_were_evaluated_with(words, characters):
    assert words.figures["bleu_1"] != characters.figures["bleu_1"]
    found = compare([Experiment(r.name, (r,)) for r in (characters, words)], images=5)
    assert all(difference.value == 0 for difference in found.deltas[0].differences.values())
    assert found.runs[0][0].metrics["bleu_1"] == pytest.approx(
        characters.figures["bleu_1"], abs=1e-6
    )
    (note,) = found.notes
    assert note == (
        "words was evaluated with tokenizer none, nfc; here all revisions are compared with "
        "tokenizer char, nfkc"
    )


def test_recorded_figures_are_checked_with_the_tokenizer_of_their_run(words, characters):
    assert stale_figures(words) == stale_figures(characters) == {}
    write_json(words.root / "metrics/evaluate.json", {"bleu_1": 0.9})
    stale = Revision("words", None, words.root)
    message = stale_figures(stale)["bleu_1"]
    assert "says bleu_1 0.9000, but its captions score" in message


def test_the_gate_compares_with_the_bases_tokenizer(words, characters):
    limits = Limits(largest_significant_drop={"bleu_1": 0, "cider_d": 0})
    checks = list(drop_checks(limits, words, characters))
    assert [check.passed for check in checks] == [True, True]
    assert all(check.reason.endswith("no drop") for check in checks)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="no java on the PATH")
def test_runs_evaluated_with_ptb_are_compared_and_gated_with_it(tmp_path, words, monkeypatch):
    ptb = revision(tmp_path, "ptb", CAPTIONS, evaluate={"tokenizer": "ptb"})
    assert own_tokenizer(ptb) == ScoringTokenizer("ptb")
    found = compare([Experiment(r.name, (r,)) for r in (ptb, words)], images=5)
    assert all(difference.value == 0 for difference in found.deltas[0].differences.values())
    assert found.notes == (
        "words was evaluated with tokenizer none, nfc; here all revisions are compared with "
        "tokenizer ptb, nfc",
    )
    limits = Limits(largest_significant_drop={"bleu_1": 0})
    assert [check.passed for check in drop_checks(limits, ptb, ptb)] == [True]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="ptb: evaluate.tokenizer ptb needs Java"):
        compare([Experiment(r.name, (r,)) for r in (ptb, words)], images=5)


def test_an_unknown_tokenizer_names_the_revision(tmp_path):
    unknown = revision(tmp_path, "odd", CAPTIONS)
    (unknown.root / "params.yaml").write_text("evaluate: {tokenizer: klingon}")
    with pytest.raises(InputError, match=r"params\.yaml of odd: evaluate\.tokenizer: .*'klingon'"):
        own_tokenizer(Revision("odd", None, unknown.root))
