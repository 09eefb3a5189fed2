"""A local HTTP server for one file, which fails on demand, and fixtures that start it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from captioning.download.sources import resumable_download

DATA = bytes(range(256)) * 4096
MD5 = hashlib.md5(DATA).hexdigest()
NAME = "Flickr8k text.zip"


class Server(ThreadingHTTPServer):
    """Serves `data` under any path.

    Attributes:
        data: bytes of the file.
        etag: ETag header, or None.
        ranges: whether requests for a range of bytes are honored.
        content_range: Content-Range header to send instead of the right one.
        faults: one fault per request: `("status", code)`, or `("cut", number of bytes)` to break
            off the transfer.
        requests: path and Range header of every request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data = DATA
        self.etag: str | None = '"version 1"'
        self.ranges = True
        self.content_range: str | None = None
        self.faults: list[tuple[str, int]] = []
        self.requests: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/files/"


class Handler(BaseHTTPRequestHandler):
    """Answers requests for a `Server`."""

    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        fault, value = server.faults.pop(0) if server.faults else ("", 0)
        if fault == "status":
            self.send_error(value)
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        body = server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        if start:
            size = len(server.data)
            default = f"bytes {start}-{size - 1}/{size}"
            self.send_header("Content-Range", server.content_range or default)
        self.end_headers()
        self.wfile.write(body[:value] if fault == "cut" else body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder; no source and no proxy in the environment; small chunks."""
    monkeypatch.setenv("CAPTIONING_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CAPTIONING_SOURCE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(resumable_download, "_CHUNK_BYTES", 1 << 14)
    return tmp_path / "cache"
