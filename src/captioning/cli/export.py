"""`captioning export`: writes a trained model as a SavedModel that needs only TensorFlow."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from captioning.cli.decoding_options import beam_width, length_penalty
from captioning.core.errors import InputError
from captioning.runtime.quick_imports import quick_imports
from captioning.stage.quiet import quiet_tensorflow


def add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `export`."""
    export = commands.add_parser(
        "export",
        help="write a model as a TensorFlow SavedModel",
        description="Write a trained model as a SavedModel that needs only TensorFlow: pictures "
        "in, captions out. The way of decoding is fixed.",
    )
    export.add_argument("out", type=Path, metavar="OUT", help="folder that is created")
    export.add_argument(
        "--model",
        type=Path,
        default=Path("data/model"),
        metavar="FOLDER",
        help="folder of the trained model (default: %(default)s)",
    )
    export.add_argument(
        "--decoder",
        choices=("beam", "greedy"),
        default="beam",
        help="beam search, or always the most probable word (default: %(default)s)",
    )
    export.add_argument(
        "--beam",
        type=beam_width,
        metavar="N",
        help="width of the beam search (default: 3)",
    )
    export.add_argument(
        "--length-penalty",
        type=length_penalty,
        metavar="P",
        help="a beam's log-probability is divided by its length to this power (default: 1)",
    )
    export.add_argument(
        "--force", action="store_true", help="replace an exported model that is in OUT"
    )
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    """Export a model; return the exit status."""
    from captioning.decoding.settings import DecodingSettings
    from captioning.export.target import check_target

    given = {"beam_width": options.beam, "length_penalty": options.length_penalty}
    given = {name: value for name, value in given.items() if value is not None}
    if given and options.decoder == "greedy":
        raise InputError("--beam and --length-penalty have no effect with --decoder greedy")
    settings = DecodingSettings(options.decoder, **given)
    check_target(options.out, options.model, options.force)
    with quiet_tensorflow():
        with quick_imports():
            from captioning.export.folder import export_model

        notes = export_model(options.model, options.out, settings, replace=options.force)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{options.out}: a SavedModel of {size / 1e6:.0f} MB; signatures serving_default, pixels")
    return 0
