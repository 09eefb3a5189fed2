"""Who may use the server: the token, names of the server, other web pages, and URLs."""

from __future__ import annotations

import http.client

import pytest
from hostile_server import hostile_server
from running_server import RunningServer, as_json, picture, running_server

from captioning.download.web import public_addresses
from captioning.serving.limits import Limits

pytestmark = pytest.mark.slow

PICTURE = picture(1)
TOKEN = "a-secret-token"


@pytest.fixture(scope="module")
def server(model):
    with running_server(model, token=TOKEN, hosts=("localhost", "127.0.0.1", "::1")) as running:
        yield running


@pytest.fixture(scope="module")
def site():
    """A server that behaves badly; its address is private, as all of this machine's are."""
    with hostile_server() as running:
        yield f"http://127.0.0.1:{running.server_port}"


@pytest.fixture
def fetching(model, monkeypatch: pytest.MonkeyPatch):
    """A server that fetches URLs, with short limits."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with running_server(
        model, Limits(url_seconds=2.0, image_bytes=1 << 20), allow_urls=True
    ) as running:
        yield running


@pytest.mark.parametrize(
    "sent", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
@pytest.mark.parametrize("path", ["/v1/model", "/v1/examples", "/metrics"])
def test_without_the_token_nothing_is_told(server, path, sent):
    headers = {} if sent is None else {"Authorization": sent}
    answer = server.get(path, **headers)
    assert (answer.status, answer.code) == (401, "wrong_token")
    assert answer.headers["www-authenticate"] == "Bearer" and TOKEN.encode() not in answer.body


def test_without_the_token_no_picture_is_captioned_and_with_it_all_works(server):
    assert server.post_form([PICTURE]).status == 401
    server_with_token = RunningServer(
        server.port, server.backend, {"Authorization": f"Bearer {TOKEN}"}
    )
    assert server_with_token.post_form([PICTURE]).json["results"][0]["captions"]
    assert server_with_token.get("/metrics").status == 200


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/healthz", "/readyz"])
def test_the_pages_and_the_health_need_no_token(server, path):
    assert server.get(path).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:80", 421),
        ("evil.example:127.0.0.1", 421),
        ("", 421),
        ("localhost@evil.example", 421),
    ],
)
def test_a_name_that_is_not_the_server_s_is_refused(server, host, status):
    assert server.get("/healthz", Host=host).status == status


def test_a_request_without_a_name_is_refused(server):
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 421 " in connection.recv(10_000)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost:8000", "Host": "localhost:8000"}, 200),
        ({"Origin": "https://captions.example", "Host": "captions.example"}, 421),
        ({"Origin": "http://localhost:9000", "Host": "localhost:8000"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
    ],
)
def test_other_web_pages_must_not_use_the_server(server, headers, status):
    answer = server.get("/healthz", **headers)
    assert answer.status == status
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


def test_urls_are_fetched_only_if_that_is_allowed(server, site):
    server = RunningServer(server.port, server.backend, {"Authorization": f"Bearer {TOKEN}"})
    answer = server.post_json({"images": [{"url": f"{site}/red.jpg"}, as_json(PICTURE)]})
    first, second = answer.json["results"]
    assert first["error"]["code"] == "urls_not_allowed" and second["captions"]


URLS = [
    "{site}/red.jpg",
    "http://localhost/",
    "http://2130706433/",
    "http://[::ffff:127.0.0.1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "//etc/passwd",
    "http://[broken",
]


def test_private_addresses_and_other_protocols_are_refused(fetching, site):
    urls = [{"url": url.format(site=site)} for url in URLS]
    results = fetching.post_json({"images": urls}).json["results"]
    assert len(results) == len(URLS)
    for url, result in zip(URLS, results, strict=True):
        assert result["error"]["code"] == "url_failed", url
        message = result["error"]["message"]
        assert "private address refused" in message or "invalid URL" in message, (url, message)


def test_redirects_to_private_addresses_are_refused(fetching, site, monkeypatch):
    monkeypatch.setattr(public_addresses, "is_public", lambda address: address == "127.0.0.1")
    pages = {
        "/red.jpg": None,
        "/to-private": "private address refused",
        "/to-file": "redirect that can't be followed",
        "/huge": "body too large",
        "/slow-body": "took too long",
        "/slow-header": "took too long",
        "/404": "status 404",
    }
    sent = [{"url": f"{site}{page}"} for page in pages]
    results = fetching.post_json({"images": sent, "attention": False}).json["results"]
    for (page, reason), result in zip(pages.items(), results, strict=True):
        if reason is None:
            assert (result["width"], result["height"]) == (600, 400)
        else:
            assert result["error"]["message"] == f"the URL cannot be read: {reason}", page


def test_a_name_that_was_added_may_be_used_behind_a_proxy(model):
    with running_server(model, hosts=("localhost", "captions.example")) as running:
        headers = {"Host": "captions.example", "Origin": "https://captions.example"}
        assert running.get("/healthz", **headers).status == 200


def test_two_requests_share_a_connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(2):
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
        assert connection.sock is not None
    connection.close()
