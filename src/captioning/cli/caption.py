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
from captioning.cli.option_types import png_path, temperature, whole_number
from captioning.cli.pictures import expand, read
from captioning.core.errors import InputError
from captioning.runtime.quick_imports import quick_imports
from captioning.stage.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from PIL.Image import Image

    from captioning.captioner import Captioner
    from captioning.decoding.search import BeamSearch, Sampler

_DEFAULT_BEAM_WIDTH = 3
# As of `evaluate.beam_width` in params.yaml. Each beam of each image in a batch takes memory.
_MAX_BEAM_WIDTH = 64
_MAX_BEAMS_IN_BATCH = 192
_MAX_SEED = 2**31 - 1


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
    method = caption.add_mutually_exclusive_group()
    method.add_argument(
        "--beam",
        type=whole_number("beam width", 1, _MAX_BEAM_WIDTH),
        metavar="N",
        help=f"use beam search of this width (default: {_DEFAULT_BEAM_WIDTH})",
    )
    method.add_argument(
        "--temperature",
        type=temperature,
        metavar="T",
        help="sample at this temperature instead; 0 always takes the most probable word",
    )
    caption.add_argument(
        "--seed",
        type=whole_number("seed", 0, _MAX_SEED),
        default=0,
        metavar="N",
        help="random seed for sampling (default: %(default)s)",
    )
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
            for row in _rows(chain([first], images), options, pictures):
                if options.json:
                    print(json.dumps(row, ensure_ascii=False, sort_keys=True))
                else:
                    print(f"{row['image']}: {row['caption']}")
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
    pictures: AttentionPictures | None,
) -> Iterator[dict[str, Any]]:
    """Caption named images: `image`, `caption`, `log_probability`; if drawn, `attention`.

    Few images are in memory at a time.
    """
    with quick_imports():
        from captioning.captioner import Captioner
        from captioning.decoding.batches import PARALLEL_BATCHES
        from captioning.decoding.search import DecodingSettings, make_decoder

    captioner = Captioner.load(options.model)
    width = options.beam or _DEFAULT_BEAM_WIDTH
    if options.temperature is None:
        settings = DecodingSettings(beam_width=width)
    elif options.temperature == 0:
        settings = DecodingSettings("greedy")
    else:
        settings = DecodingSettings("sample", temperature=options.temperature, seed=options.seed)
    decoder = make_decoder(captioner.decoder, settings)
    batch_images = _MAX_BEAMS_IN_BATCH // width
    while chosen := list(islice(images, PARALLEL_BATCHES * batch_images)):
        yield from _captioned(chosen, captioner, decoder, batch_images, pictures)
        del chosen  # Before the next ones are read.


def _captioned(
    images: Sequence[tuple[str, Image]],
    captioner: Captioner,
    decoder: Sampler | BeamSearch,
    batch_images: int,
    pictures: AttentionPictures | None,
) -> Iterator[dict[str, Any]]:
    """Caption some images; see `_rows`."""
    import numpy as np

    from captioning.data.images.decode import resize

    size = captioner.source["image_size"]
    features = captioner.features(np.stack([resize(image, size) for _, image in images]))
    captions, log_probabilities, tokens = captioner.caption(features, decoder, batch_images)
    attention = captioner.attention(features, tokens) if pictures else None
    for index, (name, image) in enumerate(images):
        row = {
            "image": name,
            "caption": captions[index],
            "log_probability": round(float(log_probabilities[index]), 5),
        }
        if pictures is not None and attention is not None:
            pieces = [piece for piece, _ in captioner.vocabulary.pieces(tokens[index].tolist())]
            row |= pictures.draw(image, captions[index], pieces, attention[index, : len(pieces)])
        yield row
