"""`captioning caption`: captions images from files, folders and URLs.

TensorFlow is imported only if there is an image to caption.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from captioning.cli.attention_pictures import AttentionPictures
from captioning.cli.decoding_options import add_decoding_options, decoding_settings
from captioning.cli.option_types import png_path
from captioning.cli.pictures import expand, read
from captioning.core.errors import InputError
from captioning.runtime.quick_imports import quick_imports
from captioning.stage.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from PIL.Image import Image

    from captioning.captioner import Caption
    from captioning.decoding.settings import DecodingSettings


def add_caption(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `caption`."""
    caption = commands.add_parser(
        "caption",
        help="caption images",
        description="Caption images. Files that are not images are reported by name; the rest are "
        "still captioned, and the exit status is 1.",
    )
    caption.add_argument(
        "images",
        nargs="+",
        metavar="PATH_OR_URL",
        help="image file, folder of image files, or URL of an image",
    )
    caption.add_argument(
        "--model",
        default="data/model",
        metavar="FOLDER",
        help="folder of the trained model (default: %(default)s)",
    )
    add_decoding_options(caption)
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
    caption.add_argument("--json", action="store_true", help="print one JSON object a line")
    caption.set_defaults(run=_caption)


def _caption(options: argparse.Namespace) -> int:
    """Caption the images that can be read and report the others; return the exit status."""
    settings = decoding_settings(options)
    failures = _Failures()
    entries = [entry for name in options.images for entry in expand(name)]
    images = _decoded(entries, options.private_addresses, failures)
    first = next(images, None)
    if first is not None:
        pictures = None
        if options.attention:
            names = [entry for entry in entries if isinstance(entry, str)]
            pictures = AttentionPictures(options.attention, names, failures.report)
        with quiet_tensorflow():
            for row in _rows(chain([first], images), options, settings, pictures):
                if options.json:
                    print(json.dumps(row, ensure_ascii=False, sort_keys=True))
                else:
                    for text in row.get("captions") or [row["caption"]]:
                        print(f"{row['image']}: {text}")
    return int(failures.number > 0)


class _Failures:
    """Reports what cannot be done, in one line each, and counts it."""

    def __init__(self) -> None:
        self.number = 0

    def report(self, message: object) -> None:
        """Print a message to standard error."""
        print(f"error: {message}", file=sys.stderr)
        self.number += 1


def _decoded(
    entries: Sequence[str | InputError], private_addresses: bool, failures: _Failures
) -> Iterator[tuple[str, Image]]:
    """Read and decode the images, one after the other; report those that cannot be."""
    from captioning.data.images.decode import decode_image

    for entry in entries:
        try:
            if isinstance(entry, InputError):
                raise entry
            yield entry, decode_image(read(entry, private_addresses), entry)
        except InputError as error:
            failures.report(error)


def _rows(
    images: Iterator[tuple[str, Image]],
    options: argparse.Namespace,
    settings: DecodingSettings,
    pictures: AttentionPictures | None,
) -> Iterator[dict[str, Any]]:
    """Caption named images: `image`, `caption`, `log_probability`; if drawn, `attention`.

    With several captions of an image, `captions` and `log_probabilities` instead. Few images are in
    memory at a time.
    """
    with quick_imports():
        from captioning.captioner import Captioner
        from captioning.decoding.batches import PARALLEL_BATCHES, batch_size

    captioner = Captioner.load(options.model)
    chunk = PARALLEL_BATCHES * batch_size(captioner.search(settings, options.n))
    number = 0
    while chosen := list(islice(images, chunk)):
        names, pixels = zip(*chosen, strict=True)
        del chosen
        features = captioner.features(pixels)
        # The same captions whatever the size of the chunks.
        streams = range(number, number + len(names))
        number += len(names)
        found = captioner.caption_features(
            features, settings, n=options.n, attention=pictures is not None, streams=streams
        )
        for name, image, captions in zip(names, pixels, found, strict=True):
            yield _row(name, image, captions, options.n, pictures)
        del pixels, image  # Before the next ones are read.


def _row(
    name: str,
    image: Image,
    captions: Sequence[Caption],
    number: int,
    pictures: AttentionPictures | None,
) -> dict[str, Any]:
    """The captions of an image, and the picture of the attention of its first one."""
    rounded = [round(caption.log_probability, 5) for caption in captions]
    row: dict[str, Any] = {"image": name}
    if number == 1:
        row |= {"caption": captions[0].text, "log_probability": rounded[0]}
    else:
        row |= {"captions": [caption.text for caption in captions], "log_probabilities": rounded}
    first = captions[0]
    if pictures is not None and first.attention is not None:
        row |= pictures.draw(image, first.text, first.words, first.attention)
    return row
