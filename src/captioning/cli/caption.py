"""`captioning caption`: captions images from files, folders and URLs.

TensorFlow is imported only if there is an image to caption.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from captioning.core.errors import InputError
from captioning.runtime.quick_imports import quick_imports
from captioning.runtime.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from PIL.Image import Image

_TIMEOUT_SECONDS = 30
_MAX_BYTES = 64 << 20
_DEFAULT_BEAM_WIDTH = 3


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
        type=_beam_width,
        metavar="N",
        help=f"use beam search of this width (default: {_DEFAULT_BEAM_WIDTH})",
    )
    method.add_argument(
        "--temperature",
        type=_temperature,
        metavar="T",
        help="sample at this temperature instead; 0 always takes the most probable word",
    )
    caption.add_argument(
        "--seed", type=int, default=0, help="random seed for sampling (default: %(default)s)"
    )
    caption.add_argument(
        "--attention",
        type=Path,
        metavar="OUT.png",
        help="draw where the model looked; for several images: OUT-1.png, OUT-2.png, …",
    )
    caption.add_argument("--json", action="store_true", help="print one JSON object a line")
    caption.set_defaults(run=_caption)


def _beam_width(text: str) -> int:
    width = int(text)
    if width < 1:
        raise argparse.ArgumentTypeError(f"the beam width must be 1 or more, not {width}")
    return width


def _temperature(text: str) -> float:
    temperature = float(text)
    if not 0 <= temperature < float("inf"):
        raise argparse.ArgumentTypeError(f"the temperature must be 0 or more, not {text}")
    return temperature


def _caption(options: argparse.Namespace) -> int:
    """Caption the images that can be read and report the others; return the exit status."""
    from captioning.data.images import decode_image

    images: list[tuple[str, Image]] = []
    failed = False
    for name in _expand(options.images):
        try:
            images.append((name, decode_image(_read(name), name)))
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
    if images:
        with quiet_tensorflow():
            for row in _rows(images, options):
                if options.json:
                    print(json.dumps(row, ensure_ascii=False, sort_keys=True))
                else:
                    print(f"{row['image']}: {row['caption']}")
    return int(failed)


def _rows(
    images: Sequence[tuple[str, Image]], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Caption named images: `image`, `caption`, `log_probability`; if drawn, `attention`."""
    with quick_imports():
        from captioning.captioner import Captioner
        from captioning.data.images import resize
        from captioning.decoding.search import make_decoder
    import numpy as np

    captioner = Captioner.load(options.model)
    if options.temperature is None:
        width = options.beam or _DEFAULT_BEAM_WIDTH
        decoder = make_decoder(captioner.decoder, "beam", beam_width=width)
    else:
        decoder = make_decoder(
            captioner.decoder, "sample", temperature=options.temperature, seed=options.seed
        )
    size = captioner.source["image_size"]
    features = captioner.features(np.stack([resize(image, size) for _, image in images]))
    captions, log_probabilities, tokens = captioner.caption(features, decoder)
    attention = captioner.attention(features, tokens) if options.attention else None
    for index, (name, image) in enumerate(images):
        row = {
            "image": name,
            "caption": captions[index],
            "log_probability": round(float(log_probabilities[index]), 5),
        }
        if attention is not None:
            from captioning.evaluation.plots import plot_attention

            path = _numbered(options.attention, index + 1, len(images))
            pieces = [piece for piece, _ in captioner.vocabulary.pieces(tokens[index].tolist())]
            maps = attention[index, : len(pieces)]
            plot_attention(path, image, captions[index], maps, pieces=pieces)
            row["attention"] = str(path)
        yield row


def _numbered(path: Path, number: int, total: int) -> Path:
    """`OUT-2.png` for the second of several images, `OUT.png` for a single one."""
    return path if total == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _expand(names: Sequence[str]) -> Iterator[str]:
    """Replace every folder by the image files in it; leave files and URLs as they are."""
    for name in names:
        if not _is_url(name) and Path(name).is_dir():
            from captioning.data.images import IMAGE_SUFFIXES

            found = sorted(p for p in Path(name).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
                raise InputError(f"{name} contains no image file ({suffixes})")
            yield from map(str, found)
        else:
            yield name


def _is_url(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def _read(name: str) -> bytes:
    """Read a file or a URL.

    Raises:
        InputError: it can't be read, or a URL's content is larger than 64 MiB.
    """
    try:
        if not _is_url(name):
            return Path(name).read_bytes()
        with requests.get(name, timeout=_TIMEOUT_SECONDS, stream=True) as response:
            response.raise_for_status()
            data = bytearray()
            for chunk in response.iter_content(1 << 16):
                data += chunk
                if len(data) > _MAX_BYTES:
                    raise InputError(f"{name}: larger than {_MAX_BYTES >> 20} MiB")
            return bytes(data)
    except (OSError, requests.RequestException) as error:
        raise InputError(f"{name}: can't be read ({error})") from None
