"""The options about decoding, for every subcommand that writes captions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from captioning.cli.option_types import decimal_number, temperature, whole_number
from captioning.core.errors import InputError

if TYPE_CHECKING:
    from captioning.decoding.settings import DecodingSettings

# As in `params.decoding`; a test compares them.
_MAX_BEAMS = 64
_DEFAULT_BEAMS = 3
_DEFAULT_DIVERSITY = 0.5
_OF_BEAM_SEARCH = ("beam", "length_penalty", "groups", "diversity")
_OF_SAMPLING = ("temperature", "top_k", "top_p")

#: Types of options for `add_argument`, also of `captioning export`.
beam_width = whole_number("beam width", 1, _MAX_BEAMS)
length_penalty = decimal_number("length penalty", 0, 10)


def add_decoding_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `decoding_settings` reads, and `--n`, the number of captions."""
    parser.add_argument(
        "--n",
        type=whole_number("number of captions", 1, _MAX_BEAMS),
        default=1,
        metavar="N",
        help="number of captions for each image, the most probable first (default: %(default)s)",
    )
    _add_beam_options(parser.add_argument_group("beam search, the default"))
    _add_sampling_options(parser.add_argument_group("sampling, with any of these options"))
    rules = parser.add_argument_group("rules for all captions")
    rules.add_argument(
        "--minimum-length",
        type=whole_number("minimum length", 0, 1022),
        default=0,
        metavar="N",
        help="smallest number of words, or of pieces of words (default: %(default)s)",
    )
    rules.add_argument(
        "--no-repeat-ngram",
        type=whole_number("length of n-grams", 1, 1024),
        metavar="N",
        help="no sequence of N words, or of pieces of words, occurs twice in a caption",
    )


def _add_beam_options(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--beam",
        type=beam_width,
        metavar="N",
        help=f"use beam search of this width (default: {_DEFAULT_BEAMS}, or as many as --n and "
        "--groups need)",
    )
    parser.add_argument(
        "--length-penalty",
        type=length_penalty,
        metavar="P",
        help="divide the log-probability by length to this power; 0 favors short captions "
        "(default: 1)",
    )
    parser.add_argument(
        "--groups",
        type=whole_number("number of groups", 1, _MAX_BEAMS),
        metavar="N",
        help="divide the beams into this many groups whose captions differ (default: 1)",
    )
    parser.add_argument(
        "--diversity",
        type=decimal_number("diversity", 0, 100),
        metavar="D",
        help="how much the groups differ: what a word loses in log-probability for each beam of an "
        f"earlier group that chose it (default: {_DEFAULT_DIVERSITY})",
    )


def _add_sampling_options(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--temperature",
        type=temperature,
        metavar="T",
        help="sample at this temperature (default: 1); 0 always takes the most probable word",
    )
    parser.add_argument(
        "--top-k",
        type=whole_number("top-k", 1, 1_000_000),
        metavar="K",
        help="sample from the K most probable words",
    )
    parser.add_argument(
        "--top-p",
        type=decimal_number("top-p", 0.0001, 1),
        metavar="P",
        help="sample from the fewest words that have the probability P together",
    )
    parser.add_argument(
        "--seed",
        type=whole_number("seed", 0, 2**31 - 1),
        default=0,
        metavar="N",
        help="random seed of sampling (default: %(default)s)",
    )


def decoding_settings(options: argparse.Namespace) -> DecodingSettings:
    """The settings that the options of `add_decoding_options` say.

    Raises:
        InputError: options do not fit together.
    """
    from captioning.decoding.settings import DecodingSettings

    beams, sampling = _given(options, _OF_BEAM_SEARCH), _given(options, _OF_SAMPLING)
    if beams and sampling:
        raise InputError(f"{beams[0]} is about beam search and {sampling[0]} about sampling")
    rules: dict[str, Any] = {
        "minimum_length": options.minimum_length,
        "no_repeat_ngram": options.no_repeat_ngram,
    }
    if options.temperature == 0:
        if len(sampling) > 1 or options.n > 1:
            other = sampling[1] if len(sampling) > 1 else "--n"
            raise InputError(f"--temperature 0 finds one caption only: leave out {other}")
        return DecodingSettings("greedy", **rules)
    if sampling:
        return DecodingSettings(
            "sample",
            temperature=1.0 if options.temperature is None else options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            seed=options.seed,
            **rules,
        )
    return DecodingSettings(**_beam_settings(options), **rules)


def _given(options: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    """The options that are given, of those with some names."""
    given = [name for name in names if getattr(options, name) is not None]
    return [f"--{name.replace('_', '-')}" for name in given]


def _beam_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Settings of beam search, with enough beams for `--n` and `--groups`."""
    groups = options.groups or 1
    enough = max(_DEFAULT_BEAMS, options.n)
    width = options.beam or -(-enough // groups) * groups
    if options.beam is None and width > _MAX_BEAMS:
        raise InputError(f"--n {options.n} and --groups {groups} need more than {_MAX_BEAMS} beams")
    if options.n > width:
        raise InputError(f"--n {options.n} needs --beam {options.n} or more")
    diversity = options.diversity
    if diversity is None:
        diversity = _DEFAULT_DIVERSITY if groups > 1 else 0.0
    return {
        "beam_width": width,
        "length_penalty": 1.0 if options.length_penalty is None else options.length_penalty,
        "beam_groups": groups,
        "diversity": diversity,
    }
