"""The `captioning` command: caption one's own pictures, compare experiments, check limits.

TensorFlow is imported only when there is something to caption.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from captioning.cli.experiments import add_compare, add_gate
from captioning.core.errors import InputError
from captioning.runtime.quick_imports import quick_imports

if TYPE_CHECKING:
    from captioning.captioner import Captioner

_TIMEOUT_SECONDS = 30
_MAX_BYTES = 64 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 where something failed, 2 bad usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="captioning", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    caption = commands.add_parser(
        "caption",
        help="caption pictures",
        description="Caption pictures. What is no picture is reported by name, the others are "
        "still captioned; the exit status is then 1.",
    )
    caption.add_argument("pictures", nargs="+", metavar="PATH_OR_URL", help="file, folder or URL")
    caption.add_argument("--model", default="data/model", help="folder (default: %(default)s)")
    way = caption.add_mutually_exclusive_group()
    way.add_argument(
        "--beam", type=_beam_width, metavar="N", help="beam search of this width (default: 3)"
    )
    way.add_argument(
        "--temperature", type=_temperature, metavar="T", help="sample; 0 takes the likeliest word"
    )
    caption.add_argument("--seed", type=int, default=0, help="of sampling (default: %(default)s)")
    caption.add_argument(
        "--attention",
        type=Path,
        metavar="OUT.png",
        help="draw where the model looked; with several pictures, OUT-1.png, OUT-2.png, …",
    )
    caption.add_argument("--json", action="store_true", help="one JSON object a line")
    caption.set_defaults(run=_caption)
    add_compare(commands)
    add_gate(commands)
    return parser


def _beam_width(text: str) -> int:
    width = int(text)
    if width < 1:
        raise argparse.ArgumentTypeError(f"a beam width is 1 or more, not {width}")
    return width


def _temperature(text: str) -> float:
    temperature = float(text)
    if not 0 <= temperature < float("inf"):
        raise argparse.ArgumentTypeError(f"a temperature is 0 or more, not {text}")
    return temperature


def _caption(options: argparse.Namespace) -> int:
    """Caption what can be read, report what can't."""
    from captioning.data.images import decode_image

    names, images, failed = [], [], False
    for name in _expand(options.pictures):
        try:
            images.append(decode_image(_read(name), name))
            names.append(name)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
    if images:
        with quick_imports():
            from captioning.captioner import Captioner

        captioner = Captioner.load(options.model)
        for row in _captions(captioner, names, images, options):
            if options.json:
                print(json.dumps(row, ensure_ascii=False, sort_keys=True))
            else:
                print(f"{row['image']}: {row['caption']}")
    return int(failed)


def _captions(
    captioner: Captioner, names: list[str], images: list[Any], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """One row a picture: `image`, `caption`, `log_probability` and, if drawn, `attention`."""
    import numpy as np

    from captioning.data.images import resize
    from captioning.decoding.search import make_decoder

    if options.temperature is None:
        decoder = make_decoder(captioner.decoder, "beam", beam_width=options.beam or 3)
    else:
        decoder = make_decoder(
            captioner.decoder, "sample", temperature=options.temperature, seed=options.seed
        )
    pixels = np.stack([resize(image, captioner.source["image_size"]) for image in images])
    features = captioner.features(pixels)
    captions, log_probabilities, tokens = captioner.caption(features, decoder)
    attention = captioner.attention(features, tokens) if options.attention else None
    for index, (name, caption) in enumerate(zip(names, captions, strict=True)):
        row = {
            "image": name,
            "caption": caption,
            "log_probability": round(float(log_probabilities[index]), 5),
        }
        if attention is not None:
            from captioning.evaluation.plots import plot_attention

            path = _numbered(options.attention, index + 1, len(names))
            pieces = [piece for piece, _ in captioner.vocabulary.pieces(tokens[index].tolist())]
            maps = attention[index, : len(pieces)]
            plot_attention(path, images[index], caption, maps, pieces=pieces)
            row["attention"] = str(path)
        yield row


def _numbered(path: Path, number: int, total: int) -> Path:
    return path if total == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _expand(pictures: Sequence[str]) -> Iterator[str]:
    """Files and URLs as they are; of a folder, the files in it that are named like pictures."""
    for picture in pictures:
        if not _is_url(picture) and Path(picture).is_dir():
            from captioning.data.images import IMAGE_SUFFIXES

            found = sorted(p for p in Path(picture).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                raise InputError(f"{picture} has no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
            yield from map(str, found)
        else:
            yield picture


def _is_url(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def _read(name: str) -> bytes:
    """The bytes of a file or a URL.

    Raises:
        InputError: it can't be read, or a URL's answer is larger than 64 MiB.
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
                    raise InputError(f"{name}: more than {_MAX_BYTES >> 20} MiB")
            return bytes(data)
    except (OSError, requests.RequestException) as error:
        raise InputError(f"{name}: can't be read ({error})") from None


if __name__ == "__main__":
    sys.exit(main())
