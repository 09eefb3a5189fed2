"""`captioning serve`: a page and an HTTP interface for one model."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import sys
from importlib.util import find_spec
from pathlib import Path

from captioning.cli.option_types import whole_number
from captioning.core.errors import InputError
from captioning.runtime.quick_imports import quick_imports
from captioning.stage.quiet import quiet_tensorflow

# The packages of the extra `serve`.
_PACKAGES = ("fastapi", "fastapi_offline", "prometheus_client", "python_multipart", "uvicorn")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MEGABYTE = 1 << 20


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `serve`."""
    serve = commands.add_parser(
        "serve",
        help="serve a page and an HTTP interface",
        description="Serve a page and an HTTP interface that caption pictures. Stop it with Ctrl-C "
        "or SIGTERM; what is in hand is finished. docs/serving.md describes it.",
    )
    serve.add_argument(
        "--model",
        default="data/model",
        type=Path,
        metavar="FOLDER",
        help="folder of the trained model (default: %(default)s)",
    )
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; other addresses than the default are reached by other machines "
        "(default: %(default)s)",
    )
    serve.add_argument(
        "--port",
        default=8000,
        type=whole_number("port", 0, 65535),
        help="port to listen on; 0 takes a free one (default: %(default)s)",
    )
    serve.add_argument(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which clients call the server, such as that of a reverse proxy",
    )
    serve.add_argument(
        "--token", help="clients must send this token, except for the page (default: none)"
    )
    serve.add_argument(
        "--allow-urls", action="store_true", help="also fetch pictures from public URLs"
    )
    serve.add_argument(
        "--examples",
        type=Path,
        metavar="FOLDER",
        help="raw table with example pictures (default: raw, beside the model, if it is there)",
    )
    _add_limits(serve)
    serve.set_defaults(run=_serve)


def _add_limits(serve: argparse.ArgumentParser) -> None:
    limits = serve.add_argument_group("limits")
    for name, default, low, high, what in (
        ("max-body", 32, 1, 1024, "largest body of a request, in megabytes"),
        ("max-picture", 16, 1, 256, "largest picture file, in megabytes"),
        ("max-megapixels", 64, 1, 64, "largest picture, in megapixels"),
        ("max-pictures", 16, 1, 256, "pictures in a request"),
        ("max-queue", 128, 1, 10_000, "pictures that wait, over all requests"),
        ("max-connections", 128, 1, 10_000, "open connections"),
        ("request-seconds", 60, 1, 3600, "time for a request"),
    ):
        limits.add_argument(
            f"--{name}",
            default=default,
            type=whole_number(what, low, high),
            metavar="N",
            help=f"{what} (default: %(default)s)",
        )


def _serve(options: argparse.Namespace) -> int:
    """Serve until told to stop; return the exit status."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError(
            f"`captioning serve` needs the packages {', '.join(missing)}: "
            "run `pip install -e '.[serve]'`"
        )
    if options.token is not None and not _is_token(options.token):
        raise InputError("--token: give at least one character, letters, digits and signs of ASCII")
    loopback = _is_loopback(options.host)
    if not loopback and options.token is None:
        print(
            f"warning: --host {options.host} lets other machines use this server, without a token: "
            "set --token",
            file=sys.stderr,
        )
    with quiet_tensorflow():
        with quick_imports():
            from captioning.serving.lifetime import Options
            from captioning.serving.limits import Limits
            from captioning.serving.server import serve

        limits = dataclasses.replace(
            Limits(),
            body_bytes=options.max_body * _MEGABYTE,
            image_bytes=options.max_picture * _MEGABYTE,
            megapixels=options.max_megapixels,
            images=options.max_pictures,
            queue=options.max_queue,
            connections=options.max_connections,
            request_seconds=options.request_seconds,
            body_seconds=min(Limits.body_seconds, options.request_seconds),
        )
        hosts = (*_LOOPBACK, options.host, *options.host_name)
        serve(
            options.model,
            options.host,
            options.port,
            Options(
                limits,
                options.allow_urls,
                options.token,
                hosts if loopback or options.host_name else None,
            ),
            options.examples,
        )
    return 0


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
