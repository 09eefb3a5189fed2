"""A server in a thread of the tests' process, and a client that talks to it over a socket."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from captioning.serving.examples import Example
from captioning.serving.lifetime import Backend, Options
from captioning.serving.limits import Limits
from captioning.serving.server import listening, make_server

_BOUNDARY = "a-boundary"
_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Code of the error in the answer."""
        return self.json["error"]["code"]


@dataclass
class RunningServer:
    """A server that runs."""

    port: int
    backend: Backend
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request; `content_type` becomes `Content-Type`."""
        given = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post_json(self, value: Any, **headers: str) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", "/v1/captions", body, content_type="application/json", **headers)

    def post_form(self, pictures: Sequence[bytes], **settings: Any) -> Answer:
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        return self.ask("POST", "/v1/captions", form(pictures, settings), content_type=kind)

    def connect(self) -> socket.socket:
        """A connection to send bytes over."""
        return socket.create_connection(("127.0.0.1", self.port), _SECONDS)


@contextmanager
def running_server(
    model: Any, limits: Limits | None = None, examples: Sequence[Example] = (), **options: Any
) -> Iterator[RunningServer]:
    """Run a server with a model that is warm already, for the duration of the `with` block."""
    backend = Backend(model, examples, Options(limits or Limits(), **options))
    server = make_server(backend)
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            until(lambda: backend.ready or not thread.is_alive())
            assert backend.ready
            yield RunningServer(port, backend)
        finally:
            server.stop()
            thread.join(_SECONDS)
    assert not thread.is_alive()


def until(condition: Any) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def picture(seed: int, size: tuple[int, int] = (90, 60), kind: str = "PNG") -> bytes:
    """An encoded picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def form(pictures: Sequence[bytes], settings: Mapping[str, Any]) -> bytes:
    """A form with files and settings, as browsers send it."""
    parts = [(f'name="images"; filename="{number}"', data) for number, data in enumerate(pictures)]
    parts += [
        (f'name="{name}"', json.dumps(value).strip('"').encode())
        for name, value in settings.items()
    ]
    lines = b""
    for name, data in parts:
        lines += f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode()
        lines += data + b"\r\n"
    return lines + f"--{_BOUNDARY}--\r\n".encode()


def as_json(data: bytes) -> dict[str, str]:
    """A picture as it stands in a JSON request."""
    return {"base64": base64.b64encode(data).decode()}
