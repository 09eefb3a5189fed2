"""`captioning report`: arguments and messages."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from captioning.cli.option_types import whole_number
from captioning.core.errors import InputError
from captioning.stage.quiet import quiet_tensorflow

_IMAGES, _IMAGES_OF_DATA = 1000, 120
_MOST_IMAGES = 100_000


def add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `report`."""
    report = commands.add_parser(
        "report",
        help="write a report with pictures as one HTML file",
        description="Write one HTML file that needs no network: figures with 95% intervals, "
        "learning curves, the words of the captions, and the captioned pictures of the test split "
        "with the model's attention. Several revisions are compared with the first one.",
    )
    report.add_argument(
        "revisions",
        nargs="*",
        metavar="REV",
        help="`workspace`, a Git revision or a DVC experiment (default: workspace)",
    )
    report.add_argument(
        "-o",
        "--output",
        type=_html_path,
        default=Path("report.html"),
        metavar="FILE.html",
        help="where the report is written (default: %(default)s)",
    )
    report.add_argument(
        "--data",
        action="store_true",
        help="report on the dataset instead: splits, captions, words, pictures, rejected images",
    )
    report.add_argument(
        "--images",
        type=whole_number("number of images", 0, _MOST_IMAGES),
        metavar="N",
        help=f"largest number of pictures (default: {_IMAGES}; with --data: {_IMAGES_OF_DATA})",
    )
    report.add_argument("--no-pictures", action="store_true", help="leave out the pictures")
    report.add_argument("--no-attention", action="store_true", help="leave out the attention maps")
    report.set_defaults(run=_report, parser=report)


def _html_path(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".html", ".htm"):
        raise argparse.ArgumentTypeError(f"give a name that ends in .html, not {text!r}")
    return path


def _report(options: argparse.Namespace) -> int:
    """Write the report; return the exit status."""
    names = options.revisions or ["workspace"]
    if options.data and len(names) > 1:
        options.parser.error("--data reports on one revision")
    if len(set(names)) < len(names):
        options.parser.error("a revision is given twice")
    if options.output.is_dir():
        raise InputError(f"{options.output} is a folder: choose another name for the report")
    if not options.output.absolute().parent.is_dir():
        raise InputError(f"{options.output.parent} is not a folder: create it first")
    with quiet_tensorflow():
        size, notes = _write(options, names)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{options.output}: {size / 1e6:.2f} MB")
    return 0


def _write(options: argparse.Namespace, names: list[str]) -> tuple[int, list[str]]:
    """Write the report; return its size and notes."""
    from captioning.experiments.revisions import find_revision

    revisions = [find_revision(name) for name in names]
    if options.data:
        from captioning.report.data_report import write_data_report

        images = _IMAGES_OF_DATA if options.images is None else options.images
        return write_data_report(
            options.output, revisions[0], images=0 if options.no_pictures else images
        )
    from captioning.report.captions_report import write_captions_report

    return write_captions_report(
        options.output,
        revisions,
        images=_IMAGES if options.images is None else options.images,
        pictures=not options.no_pictures,
        attention=not options.no_attention,
    )
