"""`captioning compare` and `captioning gate`: arguments, output and exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from captioning.core.errors import InputError

if TYPE_CHECKING:
    from captioning.experiments.comparison import Experiment

_REVISION = "`workspace`, a Git revision or a DVC experiment"


def add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `compare`."""
    compare = commands.add_parser(
        "compare",
        help="compare experiments with a baseline",
        description="Compare the captions of experiments with those of a baseline. Shows the "
        "params that differ, metrics with 95% intervals, differences with p-values, and the images "
        "whose captions changed most.",
    )
    compare.add_argument(
        "revisions",
        nargs="*",
        metavar="REV",
        help=f"{_REVISION}; the first is the baseline; if it is the only one, it is compared with "
        "the workspace",
    )
    compare.add_argument(
        "--seeds",
        nargs="+",
        action="append",
        default=[],
        metavar="REV",
        help="runs that differ only in the seed and are compared by their mean; may be repeated; "
        "if no other REV is given, the first group is the baseline",
    )
    compare.add_argument(
        "--images",
        type=_image_count,
        default=5,
        metavar="N",
        help="number of changed images to show (default: %(default)s)",
    )
    form = compare.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON document")
    form.add_argument("--markdown", action="store_true", help="print tables for a pull request")
    compare.set_defaults(run=_compare, parser=compare)


def add_gate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `gate`."""
    gate = commands.add_parser(
        "gate",
        help="check the metrics of an experiment against limits",
        description="Check the metrics of an experiment against limits and print one line for each "
        "check. The exit status is 0 if all limits hold, 1 if one does not, and 2 if they can't be "
        "checked.",
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
        help="file of limits (default: %(default)s)",
    )
    gate.add_argument("--base", metavar="REV", help="revision from which drops are measured")
    gate.set_defaults(run=_gate, parser=gate)


def _image_count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"the number of images must be 0 or more, not {number}")
    return number


def _compare(options: argparse.Namespace) -> int:
    """Print a comparison; return the exit status."""
    names, seeds = options.revisions, options.seeds
    if not names and len(seeds) < 2:
        options.parser.error("give a baseline to compare with")
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
    """Experiments by the name of their revision; groups are `seeds` or `seeds 1`, `seeds 2`, …"""
    from captioning.experiments.comparison import Experiment
    from captioning.experiments.revisions import find_revision

    experiments = [Experiment(name, (find_revision(name),)) for name in names]
    for number, group in enumerate(seeds, start=1):
        name = "seeds" if len(seeds) == 1 else f"seeds {number}"
        experiments.append(Experiment(name, tuple(map(find_revision, group))))
    return experiments


def _gate(options: argparse.Namespace) -> int:
    """Print one line for each check; return the exit status."""
    from captioning.experiments.gate import drop_checks, floor_checks, load_limits
    from captioning.experiments.revisions import find_revision

    try:
        limits = load_limits(options.limits)
        drops = bool(limits.largest_significant_drop)
        if drops and options.base is None:
            options.parser.error(
                f"{options.limits} limits drops: give the revision from which they are measured, "
                "with --base"
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
