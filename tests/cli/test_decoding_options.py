"""The options about decoding say settings, and are refused where they say two things at once."""

from __future__ import annotations

import argparse
import sys

import pytest
from imports import ROOT
from small_repository import run

from captioning.cli import decoding_options
from captioning.cli.decoding_options import add_decoding_options, decoding_settings
from captioning.core.errors import InputError
from captioning.decoding.settings import DecodingSettings
from captioning.params.decoding import DecodingParams


def parsed(line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_decoding_options(parser)
    return parser.parse_args(line.split())


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("", {}),
        ("--beam 5 --length-penalty 0.7", {"beam_width": 5, "length_penalty": 0.7}),
        ("--n 2", {}),
        ("--n 7", {"beam_width": 7}),
        ("--groups 2", {"beam_width": 4, "beam_groups": 2, "diversity": 0.5}),
        ("--groups 5 --n 6", {"beam_width": 10, "beam_groups": 5, "diversity": 0.5}),
        ("--groups 3 --diversity 0", {"beam_groups": 3}),
        ("--temperature 0", {"decoder": "greedy"}),
        ("--temperature 0.5 --seed 3", {"decoder": "sample", "temperature": 0.5, "seed": 3}),
        ("--top-k 5 --n 3", {"decoder": "sample", "top_k": 5}),
        (
            "--top-p 0.9 --temperature 2",
            {"decoder": "sample", "top_p": 0.9, "temperature": 2.0},
        ),
        (
            "--minimum-length 4 --no-repeat-ngram 2",
            {"minimum_length": 4, "no_repeat_ngram": 2},
        ),
        (
            "--temperature 0 --minimum-length 4",
            {"decoder": "greedy", "minimum_length": 4},
        ),
    ],
)
def test_options_say_settings(line, settings):
    assert decoding_settings(parsed(line)) == DecodingSettings(**settings)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--beam 3 --top-k 5", "--beam is about beam search and --top-k about sampling"),
        ("--groups 2 --temperature 0", "--groups is about beam search and --temperature"),
        (
            "--temperature 0 --top-p 0.5",
            "--temperature 0 finds one caption only: leave out --top-p",
        ),
        ("--temperature 0 --n 2", "--temperature 0 finds one caption only: leave out --n"),
        ("--beam 3 --n 4", "--n 4 needs --beam 4 or more"),
        ("--beam 4 --groups 3", "beam width of 4 does not make 3 equal groups"),
        ("--n 64 --groups 63", "--n 64 and --groups 63 need more than 64 beams"),
        ("--diversity 1", "diversity has an effect only between groups of beams"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(line, message):
    with pytest.raises(InputError, match=message):
        decoding_settings(parsed(line))


def test_the_limits_are_those_of_params():
    names = {"beam": "beam_width", "groups": "beam_groups"}
    lines = {
        "beam_width": "--beam",
        "length_penalty": "--length-penalty",
        "beam_groups": "--groups",
        "diversity": "--diversity",
        "top_k": "--top-k",
        "minimum_length": "--minimum-length",
        "no_repeat_ngram": "--no-repeat-ngram",
        "seed": "--seed",
    }
    for name, option in lines.items():
        schema = DecodingParams.model_json_schema()["properties"][name]
        schema = schema.get("anyOf", [schema])[0]
        high = schema.get("maximum", schema.get("exclusiveMaximum", 0) - 1)
        for value in (schema["minimum"], high):
            options = parsed(f"{option} {value}")
            field = option[2:].replace("-", "_")
            assert getattr(options, field) == value
            assert names.get(field, field) == name
        for value in (schema["minimum"] - 1, high + 1):
            with pytest.raises(SystemExit):
                parsed(f"{option} {value}")


def test_the_default_beam_width_is_that_of_the_library():
    assert DecodingSettings().beam_width == decoding_options._DEFAULT_BEAMS


def test_settings_are_checked_without_keras():
    code = (
        "import argparse, sys\n"
        "from captioning.cli.decoding_options import add_decoding_options, decoding_settings\n"
        "parser = argparse.ArgumentParser()\nadd_decoding_options(parser)\n"
        "decoding_settings(parser.parse_args([]))\n"
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules"
    )
    run(ROOT, sys.executable, "-c", code, errors=False)
