"""Run the server: uvicorn in one process, until it is told to stop."""

from __future__ import annotations

import functools
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from captioning.core.errors import InputError
from captioning.serving.app import make_app
from captioning.serving.examples import examples_beside, read_examples
from captioning.serving.lifetime import Backend, Options
from captioning.serving.model import ServedModel
from captioning.serving.protocol import LimitedProtocol

# How much longer than the longest request the end may take.
_GRACE_SECONDS = 10
# How long a connection may stay open without a request.
_KEEP_ALIVE_SECONDS = 5


def serve(
    model: Path, host: str, port: int, options: Options, examples: Path | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; what is in hand then is finished.

    Args:
        model: folder of the model.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        options: how to serve.
        examples: folder of a raw table whose test split has example pictures; None means `raw`
            beside the model.

    Raises:
        InputError: the model or the examples cannot be read, or the address cannot be used.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    found = read_examples(examples) if examples else examples_beside(model)
    with listening(host, port) as listener:
        backend = Backend(ServedModel(model), found, options)
        server = make_server(backend)
        print(f"listening on {_address(listener)}", file=sys.stderr, flush=True)
        server.run([listener])
    if backend.failure is not None:
        raise InputError(f"{model}: the model failed on black pictures ({backend.failure})")


def make_server(backend: Backend) -> uvicorn.Server:
    """The server of an application; its method `run` serves on given sockets.

    Args:
        backend: what the application needs.
    """
    limits = backend.options.limits
    config = uvicorn.Config(
        make_app(backend),
        http=functools.partial(LimitedProtocol, limits),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(limits.request_seconds) + _GRACE_SECONDS,
    )
    server = _Server(config)
    backend.stop = server.stop
    return server


class _Server(uvicorn.Server):
    """A server whose process ends normally when a signal told it to stop."""

    def stop(self) -> None:
        """Stop, after what is in hand."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first signal; uvicorn's own method raises the signal again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to an address.

    Raises:
        InputError: the address cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family, backlog=512)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise InputError(
            f"--host {host} --port {port}: this address cannot be used ({reason}): choose another "
            "one"
        ) from None
    with listener:
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
