"""The server compared with the captioner itself, on the same pictures, in pictures per second.

The server runs as `captioning serve` in a process of its own, and its clients in another one, on
the same cores. Each client sends one picture after the other over one connection.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import Any

import numpy as np

from benchmarks.alternate import Work
from benchmarks.data import BenchData
from benchmarks.extraction import encoded_images

_SETTINGS = {"n": 1, "attention": True}
_READY_SECONDS = 300
_BOUNDARY = "picture-boundary"


class Offline(Work):
    """The captioner itself, without a server.

    Args:
        data: data whose test images are captioned, with a trained model.
        images: number of images in one run.
        together: number of images in one call; 1 is the latency of the bare model.
    """

    def __init__(self, data: BenchData, images: int, together: int) -> None:
        from captioning.captioner import Captioner

        self.pictures = [row["image"] for row in encoded_images(data, images)]
        self.together = min(together, len(self.pictures))
        self.captioner = Captioner.load(data.root / "data/model")
        self.captions: list[str] = []
        self.seconds: list[float] = []
        self.run()
        self.seconds.clear()

    def run(self) -> float:
        """Caption the images; return their number."""
        self.captions = []
        for start in range(0, len(self.pictures), self.together):
            began = time.perf_counter()
            part = self.pictures[start : start + self.together]
            self.captions += [found.text for found in self.captioner(part, **_SETTINGS)]
            self.seconds.append(time.perf_counter() - began)
        return len(self.pictures)

    def facts(self) -> dict[str, Any]:
        """`captions`, and percentiles of the seconds of one call."""
        return {"captions": self.captions, "seconds": percentiles(self.seconds)}


class Served(Work):
    """The server, asked by several clients.

    Args:
        data: data whose test images are captioned, with a trained model.
        images: number of images in one run.
        clients: number of clients.
    """

    def __init__(self, data: BenchData, images: int, clients: int) -> None:
        self.bodies = [form(row["image"]) for row in encoded_images(data, images)]
        self.server, self.port = start_server(data)
        # Also if this process ends early.
        Finalize(self, self.server.terminate, exitpriority=1)
        self.connections = [
            http.client.HTTPConnection("127.0.0.1", self.port) for _ in range(clients)
        ]
        self.pool = ThreadPoolExecutor(clients)
        self.captions: list[str] = []
        self.seconds: list[float] = []
        self.run()
        self.seconds.clear()

    def run(self) -> float:
        """Send all images; return their number."""
        number = len(self.connections)
        parts = [range(client, len(self.bodies), number) for client in range(number)]
        found = dict(
            pair for pairs in self.pool.map(self._send, self.connections, parts) for pair in pairs
        )
        self.captions = [found[place] for place in range(len(self.bodies))]
        return len(self.bodies)

    def facts(self) -> dict[str, Any]:
        """`captions`, and percentiles of the seconds of one request; the server is stopped."""
        self.server.send_signal(signal.SIGTERM)
        self.server.wait()
        return {"captions": self.captions, "seconds": percentiles(self.seconds)}

    def _send(self, connection: http.client.HTTPConnection, places: range) -> list[Any]:
        """Send some of the images, one after the other; return their places and captions."""
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        found = []
        # The server closes connections that are idle, as between two runs.
        connection.close()
        for place in places:
            began = time.perf_counter()
            connection.request("POST", "/v1/captions", self.bodies[place], {"Content-Type": kind})
            answer = connection.getresponse()
            content = answer.read()
            self.seconds.append(time.perf_counter() - began)
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}: {content[:200]!r}")
            found.append((place, json.loads(content)["results"][0]["captions"][0]["text"]))
        return found


def form(picture: bytes) -> bytes:
    """The body of a request with one picture."""
    start = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name="
    file = '"images"; filename="picture"\r\nContent-Type: image/jpeg\r\n\r\n'
    number = f'\r\n{start}"n"\r\n\r\n{_SETTINGS["n"]}\r\n--{_BOUNDARY}--\r\n'
    return f"{start}{file}".encode() + picture + number.encode()


def start_server(data: BenchData) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server and wait until it is ready; return its process and port.

    Raises:
        RuntimeError: it did not become ready.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "captioning", "serve", "--port", str(port)]
    server = subprocess.Popen([*command, "--model", str(data.root / "data/model")])
    deadline = time.monotonic() + _READY_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        with suppress(OSError):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return server, port
        connection.close()
        time.sleep(0.2)
    server.kill()
    raise RuntimeError("the server did not become ready")


def percentiles(seconds: list[float]) -> dict[str, float]:
    """The percentiles of some durations, in seconds."""
    return {f"p{p}": round(float(np.percentile(seconds, p)), 5) for p in (50, 95, 99)}
