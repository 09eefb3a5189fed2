"""Clients that are slow, large, many or gone do not keep the server from serving others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from running_server import RunningServer, as_json, form, picture, running_server, until

from captioning.serving.limits import Limits

pytestmark = pytest.mark.slow

PICTURE = picture(1)
SHORT = Limits(
    body_bytes=1 << 20,
    total_body_bytes=3 << 19,
    image_bytes=200_000,
    megapixels=1,
    images=4,
    queue=4,
    connections=8,
    header_seconds=0.5,
    body_seconds=0.8,
    request_seconds=30,
    flush_seconds=0.5,
)
KIND = "multipart/form-data; boundary=a-boundary"


class HeldModel:
    """A model that captions nothing while it is held.

    Attributes:
        batches: number of pictures in every batch that has begun.
    """

    def __init__(self, model) -> None:
        self._model = model
        self._free = threading.Event()
        self._free.set()
        self.batches: list[int] = []

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def warm_up(self) -> None:
        pass

    def caption(self, jobs):
        self.batches.append(len(jobs))
        assert self._free.wait(60)
        return self._model.caption(jobs)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold all batches while the block runs."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()


@pytest.fixture(scope="module")
def held(model) -> HeldModel:
    return HeldModel(model)


@pytest.fixture(scope="module")
def server(held):
    with running_server(held, SHORT) as running:
        yield running
        assert running.post_form([PICTURE]).status == 200


@pytest.fixture(autouse=True)
def _all_connections_are_closed(server):
    yield
    until(lambda: server.get("/metrics").status == 200)


def received(connection) -> bytes:
    """All bytes until the server closes the connection, which it must within ten seconds."""
    connection.settimeout(10)
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def figure(server: RunningServer, name: str) -> float:
    for line in server.get("/metrics").body.decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(name)


def test_slow_headers_are_cut_off_while_others_are_served(server):
    slow = [server.connect() for _ in range(4)]
    for connection in slow:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    assert server.post_form([PICTURE]).status == 200
    started = time.monotonic()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.1):
            for connection in slow:
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    answers = [received(connection) for connection in slow]
    stop.set()
    thread.join()
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
    assert time.monotonic() - started < 10


def test_a_silent_connection_and_the_slow_second_request_of_one_are_cut_off(server):
    with server.connect() as silent, server.connect() as second:
        second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: b"alive" in second.recv(10_000))
        second.sendall(b"GET /healthz HTT")
        assert received(silent).startswith(b"HTTP/1.1 408 ")
        assert received(second).startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_cut_off_while_others_are_served(server):
    with server.connect() as connection:
        connection.sendall(
            b"POST /v1/captions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\nConnection: close\r\n\r\n{"
        )
        assert server.post_form([PICTURE]).status == 200
        answer = received(connection)
    assert (
        answer.startswith(b"HTTP/1.1 408 ") and b"the body of the request took too long" in answer
    )


def test_a_client_that_does_not_take_its_answer_is_cut_off(server):
    with server.connect() as connection:
        request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(request)
        time.sleep(2)
        connection.settimeout(10)
        size = 0
        with pytest.raises(ConnectionResetError):
            while part := connection.recv(1 << 16):
                size += len(part)
            raise ConnectionResetError  # All that was under way fitted into the buffers.
        assert size < 3_000_000
    assert server.get("/healthz").status == 200


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_that_is_too_large_is_refused(server, stated):
    body = b"x" * ((1 << 20) + 1)
    if stated:
        answer = server.ask("POST", "/v1/captions", body, content_type=KIND)
        assert (answer.status, answer.code) == (413, "request_too_large")
        return
    with server.connect() as connection:
        connection.sendall(
            b"POST /v1/captions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert received(connection).startswith(b"HTTP/1.1 413 ")


def test_an_endless_body_is_cut_off(server):
    with server.connect() as connection:
        connection.sendall(
            b"POST /v1/captions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        started = time.monotonic()
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            while time.monotonic() - started < 20:
                connection.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        assert time.monotonic() - started < 15


def test_pictures_that_are_too_large_are_refused_one_by_one(server):
    large, wide = picture(1, (400, 300)), picture(2, (1001, 1000), "JPEG")
    assert len(large) > SHORT.image_bytes
    wide = _plain_jpeg((1001, 1000))
    answer = server.post_form([large, wide, PICTURE])
    first, second, third = answer.json["results"]
    assert first["error"]["code"] == second["error"]["code"] == "picture_too_large"
    assert "more than the limit of 200,000" in first["error"]["message"]
    assert "1001x1000 pixels is more than the limit of 1 megapixels" in second["error"]["message"]
    assert third["captions"]
    too_many = server.post_form([PICTURE] * 5)
    assert too_many.status in (400, 422) and "4" in too_many.json["error"]["message"]


def test_a_full_queue_refuses_and_says_when_to_come_back(server, held):
    with ThreadPoolExecutor(2) as pool:
        with held.held():
            waiting = [pool.submit(server.post_form, [PICTURE] * 2) for _ in range(2)]
            until(lambda: figure(server, "captioning_accepted_pictures") == 4)
            refused = server.post_json({"images": [as_json(PICTURE)]})
            assert (refused.status, refused.code) == (503, "busy")
            assert int(refused.headers["retry-after"]) >= 1
            assert server.get("/healthz").status == 200
        assert all(len(answer.result().json["results"]) == 2 for answer in waiting)
    assert server.post_form([PICTURE]).status == 200


def test_pictures_whose_client_left_are_dropped(server, held):
    def send():
        body = form([PICTURE], {"n": 1})
        connection = server.connect()
        head = f"POST /v1/captions HTTP/1.1\r\nHost: localhost\r\nContent-Type: {KIND}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return connection

    dropped = figure(server, "captioning_dropped_total")
    with held.held():
        begun = len(held.batches)
        first = send()
        until(lambda: len(held.batches) > begun)
        for _ in range(2):
            second = send()
            until(lambda: figure(server, "captioning_queue_pictures") == 1)
            second.close()
            until(lambda: figure(server, "captioning_accepted_pictures") == 1)
            assert figure(server, "captioning_queue_pictures") == 0
    assert first.recv(100).startswith(b"HTTP/1.1 200 ")
    first.close()
    assert server.post_form([PICTURE]).status == 200
    assert figure(server, "captioning_dropped_total") == dropped + 2
    assert held.batches[begun:] == [1, 1]


def test_too_many_connections_are_refused(server):
    connections = [server.connect() for _ in range(8)]
    until(lambda: b" 503 " in _refusal(server))
    for connection in connections:
        connection.close()
    until(lambda: b" 200 " in _refusal(server))


def test_bodies_of_all_clients_together_have_a_limit(server):
    head = (
        b"POST /v1/captions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000000\r\n\r\n"
    )
    with server.connect() as first, server.connect() as second:
        first.sendall(head + b" " * 999_999)
        second.sendall(head + b" " * 999_999)
        answers = {first.recv(1000).split()[1], second.recv(1000).split()[1]}
    assert answers == {b"503", b"408"}


def test_a_request_that_takes_too_long_is_answered(held):
    limits = Limits(request_seconds=1.0)
    with running_server(held, limits) as server, held.held():
        answer = server.post_form([PICTURE])
        assert (answer.status, answer.code) == (503, "too_slow")


def test_a_batch_that_fails_is_told_without_its_reason(model, caplog):
    class Failing(HeldModel):
        def caption(self, jobs):
            raise ValueError("a secret reason")

    with running_server(Failing(model)) as server:
        answer = server.post_form([PICTURE])
    assert (answer.status, answer.code) == (500, "internal_error")
    assert b"secret" not in answer.body and "a secret reason" in caplog.text


def test_requests_that_come_before_the_model_is_ready_are_told_to_come_back(model):
    class Slow(HeldModel):
        def warm_up(self):
            assert self._free.wait(60)

    slow = Slow(model)
    with ThreadPoolExecutor(1) as pool:
        with slow.held():
            started = pool.submit(_asked_early, slow)
            refused = started.result() if started.done() else None
            until(lambda: _EARLY)
        started.result()
    assert refused is None
    for answer in _EARLY:
        assert (answer.status, answer.code) == (503, "not_ready")
        assert answer.headers["retry-after"] == "2"


_EARLY: list = []


def _asked_early(slow) -> None:
    """Start a server with a model that is not ready, and ask it."""
    from captioning.serving.lifetime import Backend, Options
    from captioning.serving.server import listening, make_server

    backend = Backend(slow, (), Options(Limits()))
    server = make_server(backend)
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running = RunningServer(listener.getsockname()[1], backend)
        _EARLY.extend([running.get("/readyz"), running.post_form([PICTURE])])
        until(lambda: backend.ready)
        server.stop()
        thread.join()


def _refusal(server: RunningServer) -> bytes:
    """The beginning of the answer to a request on a new connection."""
    with server.connect() as connection:
        connection.settimeout(5)
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection.recv(100)
        except OSError:
            return b""


def _plain_jpeg(size: tuple[int, int]) -> bytes:
    from hostile_server import picture as plain

    return plain("red", size=size)
