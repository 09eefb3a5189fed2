"""A web server that behaves like the real web: correctly, not at all, or maliciously."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from PIL import Image


def picture(colour: str, kind: str = "JPEG", size: tuple[int, int] = (60, 40), **options) -> bytes:
    """An encoded image of one color."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind, **options)
    return file.getvalue()


def sideways() -> bytes:
    """A JPEG file of 60 × 40 pixels whose EXIF orientation rotates it by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("brown", exif=exif)


def bomb(side: int = 30_000) -> bytes:
    """A small PNG file that really contains `side` × `side` pixels: 900 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    )


class HostileServer(ThreadingHTTPServer):
    """Answers each path in `PAGES`, and `/colour/NAME` with an image of that color.

    Attributes:
        requests: number of requests for each path.
        gone: paths that are answered with status 404.
        held: paths that are not answered.
        closing: set when the server shuts down, to end answers that are still running.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: Counter[str] = Counter()
        self.gone: set[str] = set()
        self.held: set[str] = set()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """Print nothing: clients are expected to close connections early."""


@contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """Run a server for the duration of the `with` block."""
    with HostileServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: HostileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        # A proxy receives the whole URL.
        self.path = self.path.removeprefix("http://host.invalid")
        self.server.requests[self.path] += 1
        if self.path in self.server.held:
            self.server.closing.wait()
        elif self.path in self.server.gone:
            self.send_error(404)
        elif self.path.startswith("/colour/"):
            name = unquote(self.path).rpartition("/")[2].partition("?")[0]
            # Lossless, so that the bytes differ between colors.
            self.body(picture(name, "PNG"))
        else:
            with contextlib.suppress(OSError):
                PAGES[self.path](self)

    def body(self, data: bytes, length: int | None = None, **headers: str) -> None:
        """Send a whole answer with status 200; `length` replaces the true Content-Length."""
        self.head(length=len(data) if length is None else length, **headers)
        self.wfile.write(data)

    def head(self, status: int = 200, length: int | None = None, **headers: str) -> None:
        """Send the status line and the headers."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def redirect(self, place: str) -> None:
        """Redirect to another URL."""
        self.head(302, 0, Location=place)

    def drip(self, data: Iterator[bytes]) -> None:
        """Send small pieces, one every 0.1 seconds."""
        for piece in data:
            if self.server.closing.wait(0.1):
                return
            self.wfile.write(piece)

    def reset(self) -> None:
        """Reset the connection in the middle of the body."""
        self.head(length=1000)
        self.wfile.write(b"x")
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def endless(self, status: int = 200, **headers: str) -> None:
        """Send a body that never ends."""
        self.head(status, **headers)
        while not self.server.closing.is_set():
            self.wfile.write(bytes(1 << 16))

    def endless_chunks(self) -> None:
        """Send a body that never ends, in chunked encoding."""
        self.head(Transfer_Encoding="chunked")
        while not self.server.closing.is_set():
            self.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")

    def chunked(self, data: bytes) -> None:
        """Send a whole answer in chunked encoding."""
        self.head(Transfer_Encoding="chunked")
        for start in range(0, len(data), 100):
            piece = data[start : start + 100]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: Any) -> None:
        pass


def forever(piece: bytes) -> Iterator[bytes]:
    """The same bytes again and again."""
    while True:
        yield piece


def slow_header(handler: _Handler) -> None:
    """Send a header that never ends, slowly."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    handler.drip(forever(b"x"))


def slow_body(handler: _Handler) -> None:
    """Send a body, slowly."""
    handler.head(length=1_000_000)
    handler.drip(forever(b"x"))


def raw(handler: _Handler, data: bytes) -> None:
    """Send bytes that are not an HTTP response."""
    handler.wfile.write(data)


PAGES: dict[str, Callable[[_Handler], None]] = {
    "/red.jpg": lambda h: h.body(picture("red", size=(600, 400))),
    "/green.png": lambda h: h.body(picture("green", "PNG")),
    "/blue.webp": lambda h: h.body(picture("blue", "WEBP")),
    "/sideways.jpg": lambda h: h.body(sideways()),
    "/chunked.jpg": lambda h: h.chunked(picture("grey")),
    "/moved.jpg": lambda h: h.redirect("/colour/yellow"),
    "/%C3%BCber%20alles.jpg": lambda h: h.body(picture("white")),
    "/same-as-red.jpg": lambda h: h.body(picture("red", size=(600, 400))),
    "/404": lambda h: h.send_error(404),
    "/410": lambda h: h.send_error(410),
    "/500": lambda h: h.send_error(500),
    "/silent": lambda h: h.drip(forever(b"")),
    "/slow-header": slow_header,
    "/slow-body": slow_body,
    "/html": lambda h: h.body(b"<html>Buy this domain!</html>", Content_Type="text/html"),
    "/truncated.jpg": lambda h: h.body(picture("red", size=(600, 400))[:-200]),
    "/empty": lambda h: h.body(b""),
    "/endless": lambda h: h.endless(),
    "/endless-chunks": lambda h: h.endless_chunks(),
    "/endless-redirect": lambda h: h.endless(302, Location="/red.jpg"),
    "/bomb.png": lambda h: h.body(bomb()),
    "/circle": lambda h: h.redirect("/circle-2"),
    "/circle-2": lambda h: h.redirect("/circle"),
    "/to-private": lambda h: h.redirect("http://169.254.169.254/latest/meta-data/"),
    "/to-file": lambda h: h.redirect("file:///etc/passwd"),
    "/to-ftp": lambda h: h.redirect("ftp://127.0.0.1/picture.jpg"),
    "/too-short": lambda h: h.body(picture("red"), length=1_000_000),
    "/too-long": lambda h: h.body(picture("red", size=(600, 400)), length=1000),
    "/huge": lambda h: h.body(b"x", length=10**15),
    "/reset": lambda h: h.reset(),
    "/garbage": lambda h: raw(h, b"\x00\x01\x02 no HTTP\r\n\r\n"),
    "/no-ai": lambda h: h.body(picture("red"), X_Robots_Tag="noai"),
}
