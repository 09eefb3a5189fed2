"""Hostile pictures and bodies are refused, and the server goes on."""

from __future__ import annotations

import json
from itertools import islice

import picture_fuzz
import pytest
from hostile_server import bomb
from mutations import mutations
from running_server import Answer, as_json, form, picture, running_server

pytestmark = pytest.mark.slow

PICTURE = picture(1)
KINDS = {
    "not_an_image",
    "unsupported_format",
    "damaged_image",
    "picture_too_large",
    "picture_too_complex",
    "empty_image",
}


@pytest.fixture(scope="module")
def server(model):
    with running_server(model) as running:
        yield running
        assert running.post_form([PICTURE]).status == 200


def assert_tells_nothing(answer: Answer) -> None:
    """Whether an answer names neither code nor paths."""
    for word in (b"Traceback", b"File \\", b".py", b"/usr", b"site-packages", b"0x7"):
        assert word not in answer.body, answer.body[:500]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
        (b"%PDF-1.7\n", "unsupported_format"),
        (b"<html>", "not_an_image"),
        (bomb(), "picture_too_large"),
        (b"\xff\xd8\xff", "damaged_image"),
        (PICTURE[:-50], "damaged_image"),
        (bytes(1000), "not_an_image"),
        (b"", "empty_image"),
    ],
)
def test_what_is_no_picture_is_named(server, data, code):
    for answer in (
        server.post_form([data, PICTURE]),
        server.post_json({"images": [as_json(data)]}),
    ):
        assert answer.status == 200
        assert answer.json["results"][0]["error"]["code"] == code
        assert_tells_nothing(answer)
    assert server.post_form([data, PICTURE]).json["results"][1]["captions"]


@pytest.mark.slow
@pytest.mark.parametrize("form_name", picture_fuzz.FORMATS)
def test_damaged_pictures_of_every_format_are_captioned_or_refused(server, form_name):
    if form_name == "HEIF":
        pytest.importorskip("pillow_heif")
    damaged = picture_fuzz.mutations(form_name, 32)
    while part := list(islice(damaged, 16)):
        answer = server.post_form(part, attention=False)
        assert answer.status == 200 and len(answer.json["results"]) == len(part)
        assert_tells_nothing(answer)
        for result in answer.json["results"]:
            assert "captions" in result or result["error"]["code"] in KINDS


BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe",
    b'{"images": ' + b"[" * 100_000,
    b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"n": ' + b"9" * 1_000_000 + b"}",
    b'{"images": [{"base64": "' + b"A" * 10_000_000 + b'!"}]}',
    b'{"images": [{"base64": "AAAA"}], "n": 1e999}',
    b'{"images": [{"base64": "AAAA"}], "temperature": NaN}',
    b'{"images": [{"base64": "\\ud800"}]}',
    b'{"images": [{"base64": "\xc3\xa9"}]}',
    b'{"images": [' + b'{"base64": ""},' * 200_000 + b'{"base64": ""}]}',
    b'{"n": 1, "n": 2}',
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_hostile_json_is_refused(server, body):
    answer = server.post_json(body)
    assert answer.status in (200, 400, 422)
    if answer.status == 200:
        (result,) = answer.json["results"]
        assert result["error"]["code"] in ("not_base64", "not_an_image")
    else:
        assert answer.code in ("invalid_json", "invalid_request")
        assert len(answer.body) < 3000
    assert_tells_nothing(answer)


@pytest.mark.slow
def test_damaged_bodies_are_answered(server):
    kinds = {
        "application/json": json.dumps({"images": [as_json(PICTURE)], "n": 2}).encode(),
        "multipart/form-data; boundary=a-boundary": form([PICTURE], {"n": 2, "seed": 1}),
    }
    for kind, body in kinds.items():
        for changed in mutations(body, 60):
            answer = server.ask("POST", "/v1/captions", changed, content_type=kind)
            assert answer.status in (200, 400, 422), answer.body[:300]
            assert_tells_nothing(answer)


def test_forms_that_are_damaged_or_too_large_are_refused(server):
    kind = "multipart/form-data; boundary=a-boundary"
    whole = form([PICTURE], {"n": 1})
    part = b'--a-boundary\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n1\r\n'
    end = b"--a-boundary--\r\n"
    for body in (
        whole[:-30],
        whole[: len(whole) // 2],
        part % (b"n", b"") * 50_000 + end,
        part % (b"images", b'; filename="x"') * 1000 + end,
        part % (b"n", b"") * 2 + end,
        part % (b"other", b'; filename="x"') + end,
        b'--a-boundary\r\nContent-Disposition: form-data; name="n"\r\n\r\n' + b"1" * 10_000_000,
        b"--a-boundary\r\n" + b"X: y\r\n" * 100_000 + b"\r\n" + end,
    ):
        answer = server.ask("POST", "/v1/captions", body, content_type=kind)
        assert answer.status in (400, 422), (body[:50], answer.body[:300])
        assert_tells_nothing(answer)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=" + "x" * 5000):
        answer = server.ask("POST", "/v1/captions", whole, content_type=kind)
        assert answer.status == 400
        assert_tells_nothing(answer)


def test_what_is_no_http_is_refused_without_naming_the_software(server):
    for sent in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/x.y\r\n\r\n", b"x" * 100_000):
        with server.connect() as connection:
            connection.sendall(sent)
            answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 400 ") and b'"invalid_http"' in answer
        assert b"nosniff" in answer and b"server:" not in answer.lower()
