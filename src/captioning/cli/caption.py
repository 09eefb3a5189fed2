"""`captioning caption`: captions images from files, folders, lists, URLs and object stores.

TensorFlow is imported only if there is an image to caption.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from captioning.batch.folders import Skipped
from captioning.batch.listing import STDIN, check_names, list_pictures, names_in
from captioning.batch.pictures import Listed, Picture, PictureList, is_url
from captioning.batch.progress import Progress
from captioning.cli.attention_pictures import AttentionPictures
from captioning.cli.decoding_options import add_decoding_options, decoding_settings
from captioning.cli.option_types import png_path
from captioning.core.errors import InputError
from captioning.runtime.quick_imports import quick_imports
from captioning.stage.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from captioning.batch.rows import Row
    from captioning.decoding.settings import DecodingSettings

_INTERRUPTED = 130


def add_caption(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `caption`."""
    caption = commands.add_parser(
        "caption",
        help="caption images",
        description="Caption images. What cannot be read is reported by name; the rest is still "
        "captioned, and the exit status is 1.",
    )
    caption.add_argument(
        "images",
        nargs="*",
        metavar="PATH_OR_URL",
        help="image file, folder of image files, URL of an image, prefix in an object store such "
        "as s3://bucket/prefix, or - for an image on standard input",
    )
    caption.add_argument(
        "--list",
        action="append",
        default=[],
        dest="lists",
        metavar="FILE",
        help="also caption what this file names, one path or URL on each line; - for standard "
        "input",
    )
    caption.add_argument(
        "--recursive", action="store_true", help="also read the subfolders of folders"
    )
    caption.add_argument(
        "--model",
        default="data/model",
        metavar="FOLDER",
        help="folder of the trained model (default: %(default)s)",
    )
    add_decoding_options(caption)
    caption.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the captions to this file, as Parquet (.parquet), JSON Lines (.jsonl) or CSV "
        "(.csv); the same command resumes an interrupted run",
    )
    caption.add_argument("--json", action="store_true", help="print one JSON object a line")
    caption.add_argument(
        "--attention",
        type=png_path,
        metavar="OUT.png",
        help="draw where the model looked; for several images: OUT-1.png, OUT-2.png, …",
    )
    caption.add_argument(
        "--private-addresses",
        action="store_true",
        help="also read URLs that lead to this machine or to its private network",
    )
    caption.set_defaults(run=_caption)


def _caption(options: argparse.Namespace) -> int:
    """Caption the images that can be read and report the others; return the exit status."""
    _check(options)
    settings = decoding_settings(options)
    skipped = Skipped()
    names = chain(options.images, *map(names_in, options.lists))
    listed = list_pictures(names, options.recursive, skipped)
    try:
        status = (_write if options.output else _print)(options, settings, listed)
    except KeyboardInterrupt:
        advice = "; run the same command again to resume" if options.output else ""
        print(f"interrupted{advice}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Nobody reads the captions any more; Python would complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if skipped.number:
        files = "1 file" if skipped.number == 1 else f"{skipped.number:,} files"
        print(
            f"note: {files} in folders left out, by names that begin with a dot or do not end "
            "like an image's",
            file=sys.stderr,
        )
    return status


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: nothing is to be captioned, or options exclude each other.
    """
    if not options.images and not options.lists:
        raise InputError("name an image, a folder or a URL to caption, or give a --list of them")
    check_names(options.images, options.lists, options.output)
    if options.output is None:
        return
    from captioning.batch.formats import check_suffix

    check_suffix(options.output)
    if options.json:
        raise InputError("--json is for captions that are printed: use -o with a .jsonl file")
    if options.attention:
        raise InputError("--attention goes with captions that are printed: leave out -o")


def _write(
    options: argparse.Namespace, settings: DecodingSettings, listed: Iterable[Listed]
) -> int:
    """Write the captions to a file."""
    from captioning.batch.to_file import Run, write_captions

    run = Run(options.output, options.model, settings, options.n, options.private_addresses)
    with quiet_tensorflow():
        outcome = write_captions(run, listed)
    failed = f"; {outcome.failed:,} failed, see the column error" if outcome.failed else ""
    print(f"{options.output}: {outcome.pictures:,} images{failed}", file=sys.stderr)
    return int(outcome.failed > 0)


class _Failures:
    """Reports what cannot be done, in one line each, and counts it."""

    def __init__(self) -> None:
        self.number = 0

    def report(self, message: object) -> None:
        """Print a message to standard error."""
        print(f"error: {message}", file=sys.stderr, flush=True)
        self.number += 1


def _print(
    options: argparse.Namespace, settings: DecodingSettings, listed: Iterable[Listed]
) -> int:
    """Print the captions as they come."""
    failures, drawn, total = _Failures(), None, None
    pictures: Iterable[Picture] = (Picture(index, *one) for index, one in enumerate(listed))
    # Whoever writes a list to standard input may wait for captions before going on.
    if STDIN not in options.lists or options.attention:
        known = PictureList(listed)
        pictures, total = known, known.number
        if options.attention:
            names = [picture.path for picture in known]
            drawn = AttentionPictures(options.attention, names, failures.report)
    candidates = iter(pictures)
    for first in candidates:
        if not first.error:
            with quiet_tensorflow():
                _print_rows(options, settings, chain([first], candidates), total, drawn, failures)
            break
        failures.report(first.error)
    return int(failures.number > 0)


def _print_rows(
    options: argparse.Namespace,
    settings: DecodingSettings,
    pictures: Iterable[Picture],
    total: int | None,
    drawn: AttentionPictures | None,
    failures: _Failures,
) -> None:
    """Caption the pictures and print a line for each; see `_print`."""
    from captioning.batch.model_files import model_files

    model_files(options.model)
    with quick_imports():
        from captioning.batch.running import PictureCaptioner, Reading
        from captioning.captioner import Captioner
        from captioning.cli.familiarity_notes import FamiliarityNotes

    captioner = Captioner.load(options.model)
    reading = Reading(options.private_addresses, any_url=_may_have_urls(options))
    running = PictureCaptioner(captioner, settings, options.n, reading, drawn is not None)
    # On a terminal, the captions themselves show the progress.
    progress = Progress(total, shown=not sys.stdout.isatty())
    with (
        closing(FamiliarityNotes(captioner)) as notes,
        closing(progress),
        closing(running.rows(pictures)) as rows,
    ):
        for row in rows:
            progress.advance()
            if row.error:
                failures.report(row.error)
            else:
                print("\n".join(_lines(row, options, drawn)), flush=True)
                notes.see(row.picture.path, row.unfamiliar)


def _may_have_urls(options: argparse.Namespace) -> bool:
    return bool(options.lists) or any(map(is_url, options.images))


def _lines(row: Row, options: argparse.Namespace, drawn: AttentionPictures | None) -> list[str]:
    """The lines that are printed for a captioned picture."""
    picture = {}
    if drawn is not None and row.image is not None and row.attention is not None:
        picture = drawn.draw(row.image, row.captions[0], row.words, row.attention)
    if not options.json:
        return [f"{row.picture.path}: {caption}" for caption in row.captions]
    columns = row.columns(options.n)
    shown = {name: columns[name] for name in columns if name not in ("index", "path", "error")}
    familiarity = {} if row.unfamiliar is None else {"unfamiliar": row.unfamiliar}
    found = {"image": row.picture.path, **shown, **familiarity, **picture}
    return [json.dumps(found, ensure_ascii=False, sort_keys=True)]
