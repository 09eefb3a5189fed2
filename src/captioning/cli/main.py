"""The `captioning` command: its parser, and the call of the chosen subcommand."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

from captioning import __version__
from captioning.cli.caption import add_caption
from captioning.cli.doctor import add_doctor
from captioning.cli.experiments import add_compare, add_gate
from captioning.cli.export import add_export
from captioning.cli.report import add_report
from captioning.cli.serve import add_serve
from captioning.core.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 for a failure, 2 for wrong usage."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may contain bytes, and captions characters, that the encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage in one line; subcommands get parsers of the same class."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see `{self.prog} --help`)\n")


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="captioning",
        description="Caption images with a trained model, compare experiments, check limits, write "
        "reports, and repair what interruptions left behind.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_caption(commands)
    add_export(commands)
    add_serve(commands)
    add_compare(commands)
    add_gate(commands)
    add_report(commands)
    add_doctor(commands)
    return parser
