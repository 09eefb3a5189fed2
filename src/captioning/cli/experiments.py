"""`captioning compare` and `captioning gate`: arguments, output, exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from captioning.core.errors import InputError

if TYPE_CHECKING:
    from captioning.experiments.comparison import Experiment

_REVISION = "workspace, a Git revision or a DVC experiment"


def add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `compare`."""
    compare = commands.add_parser(
        "compare",
        help="compare experiments",
        description="Hold the captions of experiments against those of a baseline: params, metrics "
        "with intervals, differences with p-values, images whose captions changed most.",
    )
    compare.add_argument(
        "revisions",
        nargs="*",
        metavar="REV",
        help=f"{_REVISION}; the first is the baseline, held against the workspace if alone",
    )
    compare.add_argument(
        "--seeds",
        nargs="+",
        action="append",
        default=[],
        metavar="REV",
        help="runs that differ in the seed alone, compared by their mean; may be repeated, and "
        "without another REV the first group is the baseline",
    )
    compare.add_argument(
        "--images",
        type=_number,
        default=5,
        metavar="N",
        help="changed images to show (default: %(default)s)",
    )
    form = compare.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document")
    form.add_argument("--markdown", action="store_true", help="tables for a pull request")
    compare.set_defaults(run=_compare, parser=compare)


def add_gate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `gate`."""
    gate = commands.add_parser(
        "gate",
        help="check figures against limits",
        description="Check an experiment's figures against limits, one line a check. The exit "
        "status is 0 if all hold, 1 if one doesn't, 2 if they can't be checked.",
    )
    gate.add_argument(
        "revision",
        nargs="?",
        default="workspace",
        metavar="REV",
        help=f"{_REVISION} (default: %(default)s)",
    )
    gate.add_argument(
        "--limits",
        type=Path,
        default=Path("gate.yaml"),
        metavar="FILE",
        help="the limits (default: %(default)s)",
    )
    gate.add_argument("--base", metavar="REV", help="the revision that drops are measured from")
    gate.set_defaults(run=_gate, parser=gate)


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"a number of images is 0 or more, not {number}")
    return number


def _compare(options: argparse.Namespace) -> int:
    """Print the comparison."""
    names, seeds = options.revisions, options.seeds
    if not names and len(seeds) < 2:
        options.parser.error("name a baseline to compare with")
    if len(names) == 1 and not seeds:
        names = [*names, "workspace"]

    from captioning.experiments.as_json import as_json
    from captioning.experiments.as_text import as_markdown, as_text
    from captioning.experiments.comparison import compare

    comparison = compare(_experiments(names, seeds), options.images)
    render = as_json if options.json else as_markdown if options.markdown else as_text
    print(render(comparison))
    return 0


def _experiments(names: Sequence[str], seeds: Sequence[Sequence[str]]) -> list[Experiment]:
    """Single revisions by their name, groups as `seeds` or `seeds 1`, `seeds 2`, …"""
    from captioning.experiments.comparison import Experiment
    from captioning.experiments.revisions import find_revision

    experiments = [Experiment(name, (find_revision(name),)) for name in names]
    for number, group in enumerate(seeds, start=1):
        name = "seeds" if len(seeds) == 1 else f"seeds {number}"
        experiments.append(Experiment(name, tuple(map(find_revision, group))))
    return experiments


def _gate(options: argparse.Namespace) -> int:
    """Print one line a check; what can't be checked is a status of its own."""
    from captioning.experiments.gate import drop_checks, floor_checks, load_limits
    from captioning.experiments.revisions import find_revision

    try:
        limits = load_limits(options.limits)
        drops = bool(limits.largest_significant_drop)
        if drops and options.base is None:
            options.parser.error(
                f"{options.limits} limits drops: name the revision they count from with --base"
            )
        revision = find_revision(options.revision)
        checks = list(floor_checks(limits, revision))
        if drops:
            checks += drop_checks(limits, find_revision(options.base), revision)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for check in checks:
        print(f"{'pass' if check.passed else 'FAIL'}  {check.reason}")
    return int(not all(check.passed for check in checks))
