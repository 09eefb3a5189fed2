"""The tokenizer `ptb`: the words and figures of COCO-caption, from package pycocoevalcap."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from coco_scores import coco_score
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from captioning.core.errors import InputError
from captioning.evaluation.metrics import aggregate, image_statistics
from captioning.evaluation.ptb import ptb_words
from captioning.evaluation.scoring import score
from captioning.evaluation.words import ScoringTokenizer

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="no java on the PATH")

# Apostrophes, hyphens, quotes, brackets, numbers, abbreviations, other scripts.
CAPTIONS = [
    "The dog's owner isn't here",
    "a well-known t-shirt - it's RED!",
    'A man says "hello" (twice)...',
    "two co-workers' bikes; can't ride",
    "ein Mädchen läuft über die Straße",
    "",
    "he costs $5.50, i.e. 1 1/2 pounds",
]
REFERENCES = [
    ["The dog's owner is not here.", "A dog without its owner, isn't it?"],
    ["A well-known T-shirt: it's red.", "the shirt is red, isn't it", "red t-shirt"],
    ['A man says "hello" twice.', "Someone (a man) speaks..."],
    ["The co-workers' bikes can't be ridden.", "two bikes - both broken"],
    ["Ein Mädchen läuft über die Straße.", "Das Mädchen läuft"],
    ["A dog.", "dogs"],
    ["It costs $5.50, i.e. 1 1/2 pounds", "the price is $5"],
]


def pycocoevalcap_words(texts: list[str]) -> list[str]:
    """What COCO-caption's own evaluation makes of texts, none of them empty at the end."""
    cut = PTBTokenizer().tokenize({n: [{"caption": text}] for n, text in enumerate(texts)})
    return [cut[number][0] for number in range(len(texts))]


@needs_java
def test_words_are_those_of_coco_caption():
    assert ptb_words(CAPTIONS) == pycocoevalcap_words(CAPTIONS)
    assert ptb_words(CAPTIONS[:2]) == [
        "the dog 's owner is n't here",
        "a well-known t-shirt it 's red",
    ]


@needs_java
def test_all_metrics_are_those_of_coco_caption():
    references = [text for given in REFERENCES for text in given]
    captions, cut = pycocoevalcap_words(CAPTIONS), iter(pycocoevalcap_words(references))
    given = [[next(cut) for _ in texts] for texts in REFERENCES]
    statistics = image_statistics(CAPTIONS, REFERENCES, ScoringTokenizer("ptb"))
    metrics = aggregate(statistics)
    bleu = coco_score(Bleu(4), captions, given)[0]
    assert min(bleu) > 0.3
    found = [metrics[f"bleu_{order}"] for order in (1, 2, 3, 4)]
    np.testing.assert_allclose(found, bleu, atol=1e-6)
    for metric, scorer in (("rouge_l", Rouge()), ("cider_d", Cider())):
        whole, images = coco_score(scorer, captions, given)
        assert metrics[metric] == pytest.approx(float(whole))
        np.testing.assert_allclose(getattr(statistics, metric), images, atol=1e-12)
    # With the default tokenizer these captions have other words and other figures.
    default = aggregate(image_statistics(CAPTIONS, REFERENCES))
    assert abs(default["bleu_1"] - metrics["bleu_1"]) > 0.005


@needs_java
def test_the_words_of_a_text_do_not_depend_on_the_texts_beside_it():
    texts = [
        *CAPTIONS,
        "vitamin A.",
        "No.",
        "The U.S.",
        "",
        "5 dogs",
        "A",
        "line\u2028sep\nx\r",
        "",
    ]
    words = dict(zip(texts, ptb_words(texts), strict=True))
    shuffled = random.Random(1).sample(texts, len(texts))
    assert ptb_words(shuffled) == [words[text] for text in shuffled]
    assert words["line\u2028sep\nx\r"] == "line sep x"
    assert ptb_words(["vitamin A."]) == [words["vitamin A."]] == ["vitamin a."]
    assert ptb_words([]) == [] and ptb_words([""]) == [""]


@needs_java
def test_the_language_of_the_machine_changes_no_word(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dfile.encoding=ISO-8859-1")
    text = "TITLE: größer İ 一只狗 собака"
    assert ptb_words([text]) == ["title größer i̇ 一只狗 собака"]


@needs_java
def test_the_report_names_the_tokenizer_and_uses_it_for_train_captions():
    tokenizer = ScoringTokenizer("ptb", "nfkc").check()
    report, intervals = score(
        ["a dog's", "ﬁsh"], [["The DOG's"], ["a fish"]], 100, 1, ["A dog 's."], tokenizer
    )
    assert report["caption_length"] == 2 and report["share_not_in_training"] == 0.5
    signature = intervals["signature"]
    assert "|tok:ptb|" in signature
    assert "text NFKC lower case, cut by stanford-corenlp-3.4.1, without" in signature


def test_missing_java_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="tokenizer ptb needs Java, but there is no `java`"):
        ScoringTokenizer("ptb").check()


def test_the_error_says_why_java_failed(monkeypatch, tmp_path):
    # As on macOS, where a stub stands for Java that is not installed.
    stub = tmp_path / "java"
    stub.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('Unable to locate Java')\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match="(?s)needs Java, which failed: install .*Unable to locate"
    ):
        ScoringTokenizer("ptb").check()


def test_the_stage_needs_java_before_it_captions_anything(monkeypatch, tmp_path):
    from evaluate import evaluate

    from captioning.params.stages import load_params

    params = load_params(Path(__file__).parents[2] / "params.yaml")
    chosen = params.evaluate.model_copy(update={"tokenizer": "ptb"})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # Nothing to caption here: later, an error would name data/model.
    with pytest.raises(InputError, match="needs Java"):
        evaluate(params.model_copy(update={"evaluate": chosen}))
