"""The HTTP interface: right answers in order, wrong requests in one line, the description."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from openapi_spec_validator import validate
from running_server import RunningServer, as_json, picture, running_server

from captioning import __version__
from captioning.captioner import Captioner
from captioning.decoding.settings import DecodingSettings
from captioning.serving.examples import Example

pytestmark = pytest.mark.slow

PICTURES = [picture(seed, (60 + seed, 50)) for seed in range(8)]
REFERENCES = ["a dog", "ein Hund, <b>"]


@pytest.fixture(scope="module")
def server(model):
    examples = [Example(PICTURES[0], "image/png", REFERENCES)]
    with running_server(model, examples=examples) as running:
        yield running


@pytest.fixture(scope="module")
def captioner(model_folder) -> Captioner:
    return Captioner.load(model_folder)


def assert_equal(found, expected) -> None:
    """Whether captions in an answer are those of the captioner."""
    assert [caption["text"] for caption in found] == [caption.text for caption in expected]
    for caption, own in zip(found, expected, strict=True):
        # Other batches add in another order.
        assert caption["log_probability"] == pytest.approx(own.log_probability, abs=1e-3)
        assert caption["probability"] == pytest.approx(math.exp(own.log_probability), rel=2e-3)
        assert [word["text"] for word in caption["words"]] == list(own.words)
        if own.attention is not None:
            maps = np.array([word["attention"] for word in caption["words"]])
            np.testing.assert_allclose(maps.reshape(own.attention.shape), own.attention, atol=1e-3)


def test_every_picture_has_its_own_answer_or_error_in_the_order_of_the_request(server, captioner):
    sent = [PICTURES[0], b"no picture", PICTURES[1], b""]
    answer = server.post_json({"images": [as_json(data) for data in sent], "n": 3})
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    first, second, third, fourth = answer.json["results"]
    assert_equal(first["captions"], captioner(PICTURES[0], n=3))
    assert (first["width"], first["height"]) == (60, 50)
    assert second == {
        "error": {
            "code": "not_an_image",
            "message": "not an image: its beginning is not that of any known image format",
        }
    }
    assert_equal(third["captions"], captioner(PICTURES[1], n=3))
    assert fourth["error"]["code"] == "empty_image"


def test_a_form_with_files_gives_the_same_answer_as_json(server):
    settings = {"n": 2, "beam_width": 4, "length_penalty": 0.5, "top_k": None, "attention": False}
    by_json = server.post_json({"images": [as_json(data) for data in PICTURES[:2]], **settings})
    by_form = server.post_form(PICTURES[:2], **settings)
    assert by_form.status == 200 and by_form.json == by_json.json
    words = by_form.json["results"][0]["captions"][1]["words"]
    assert words and not any("attention" in word for word in words)


def test_32_clients_at_once_get_the_answers_of_the_captioner(server, captioner):
    def asked(number: int):
        temperature = 0.5 + number / 10
        settings = {"decoder": "sample", "temperature": temperature, "seed": number}
        chosen = [PICTURES[number % 8], PICTURES[(number + 3) % 8]]
        answer = server.post_json({"images": [as_json(data) for data in chosen], **settings})
        return chosen, settings, answer

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(asked, range(32)))
    for chosen, settings, answer in answers:
        assert answer.status == 200
        expected = captioner(chosen, settings=DecodingSettings(**settings))
        for result, caption in zip(answer.json["results"], expected, strict=True):
            assert_equal(result["captions"], [caption])
    batches = server.get("/metrics").body.decode()
    count, total = (
        float(batches.partition(f"captioning_batch_pictures_{name} ")[2].split()[0])
        for name in ("count", "sum")
    )
    assert total / count > 1.5


WRONG = [
    ({}, "images: is missing"),
    ({"images": []}, "images: List should have at least 1 item"),
    ({"images": "x"}, "images: Input should be a valid"),
    ({"images": [{}]}, "images.0: give either base64 or url"),
    ({"images": [{"base64": "x", "url": "y"}]}, "images.0: give either base64 or url"),
    ({"images": [{"base64": 5}]}, "images.0.base64: Input should be a valid string"),
    ({"images": [{"path": "/etc/passwd"}]}, "images.0.path: unknown key"),
    ({"images": [{"base64": ""}] * 17}, "images: 17 is more than the limit of 16"),
    ({"n": 0}, "n: Input should be greater than or equal to 1 (found 0)"),
    ({"n": 17, "beam_width": 17}, "n: 17 is more than the limit of 16"),
    ({"n": 5}, "5 captions need a beam width of at least 5, not 3"),
    ({"n": 2, "decoder": "greedy"}, "greedy decoding finds one caption only"),
    ({"n": "3"}, "n: Input should be a valid integer"),
    ({"n": True}, "n: Input should be a valid integer"),
    ({"n": 10**400}, "n: "),
    ({"beam_width": 65}, "beam_width: Input should be less than or equal to 64"),
    ({"temperature": 0}, "temperature: Input should be greater than or equal to 0.001"),
    ({"temperature": float("nan")}, "temperature: Input should be a finite number"),
    ({"length_penalty": float("inf")}, "length_penalty: Input should be "),
    ({"top_p": 0.5}, "top_p has an effect only on sampling"),
    ({"seed": 2**31}, "seed: Input should be less than"),
    ({"minimum_length": 7}, "minimum_length (7) is larger than 6"),
    ({"decoder": "best"}, "decoder: Input should be 'greedy', 'sample' or 'beam'"),
    ({"decoder": "x" * 10_000_000}, "decoder: Input should be 'greedy', 'sample' or 'beam'"),
    ({"x" * 10_000_000: 1}, "unknown key"),
    ({"attention": "yes"}, "attention: Input should be a valid boolean"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong_values_are_refused_in_one_line(server, change, message):
    value = {"images": [as_json(PICTURES[0])], **change} if change else {}
    answer = server.post_json(value)
    assert (answer.status, answer.code) == (422, "invalid_request")
    told = answer.json["error"]["message"]
    assert message in told and "\n" not in told and len(told) < 1000


def test_wrong_values_of_a_form_are_refused_in_one_line(server):
    answer = server.post_form(PICTURES[:1], beam_width="many", n=2)
    assert (answer.status, answer.code) == (422, "invalid_request")
    assert "beam_width: Input should be a valid integer" in answer.json["error"]["message"]
    assert server.post_form([], n=1).json["error"]["message"] == "the form has no file images"


def test_other_types_and_methods_are_refused(server):
    answer = server.ask("POST", "/v1/captions", b"x", content_type="text/plain")
    assert (answer.status, answer.code) == (415, "unsupported_type")
    assert server.ask("POST", "/v1/captions", b"x").status == 415
    assert (server.get("/v1/captions").status, server.get("/v1/captions").code) == (
        405,
        "method_not_allowed",
    )
    for path in ("/v1/nothing", "/static/../app.py", "/static/%2e%2e/app.py", "/docs/x.py"):
        assert server.get(path).status == 404, path


def test_the_model_and_the_limits_are_told(server):
    told = server.get("/v1/model").json
    assert told.pop("note")
    assert told == {
        "dataset": None,
        "language": None,
        "extractor": "efficientnet_lite0",
        "image_size": 64,
        "grid": [2, 2],
        "vocabulary_size": 14,
        "limits": {
            "images": 16,
            "n": 16,
            "body_bytes": 32 << 20,
            "image_bytes": 16 << 20,
            "megapixels": 64,
            "request_seconds": 60,
        },
        "allow_urls": False,
    }


def test_examples_are_listed_and_served(server):
    assert server.get("/v1/examples").json == [
        {"id": 0, "url": "/v1/examples/0", "references": REFERENCES}
    ]
    answer = server.get("/v1/examples/0")
    assert answer.body == PICTURES[0] and answer.headers["content-type"] == "image/png"
    for number in ("1", "-1", "%D9%A0", "0x0", "9" * 5000, "..%2f..%2fetc%2fpasswd"):
        assert server.get(f"/v1/examples/{number}").status == 404


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/v1/model", "/v1/nothing", "/metrics", "/healthz"]
)
def test_every_answer_has_the_security_headers_and_names_no_software(server, path):
    headers = server.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers and __version__ not in json.dumps(headers)


def test_the_description_is_valid_and_complete(server):
    told = server.get("/openapi.json").json
    validate(told)
    post = told["paths"]["/v1/captions"]["post"]
    body = post["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    for example in body["application/json"]["examples"].values():
        value = {**example["value"], "images": [as_json(PICTURES[0])]}
        assert server.post_json(value).status == 200
    assert {"200", "401", "413", "422", "503"} <= set(post["responses"])
    request = told["components"]["schemas"]["CaptionRequest"]["properties"]
    assert request["beam_width"]["maximum"] == 64 and request["beam_width"]["default"] == 3
    assert "/v1/examples/{number}" in told["paths"]


def test_the_description_is_shown_without_files_from_elsewhere(server):
    page = server.get("/docs").body.decode()
    assert "://" not in page and "<script>" not in page
    for name, kind in (
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("start.js", "text/javascript"),
    ):
        assert f"docs/{name}" in page
        answer = server.get(f"/docs/{name}")
        assert answer.status == 200 and answer.headers["content-type"].startswith(kind)


def test_figures_count_answers_and_refusals(server: RunningServer):
    server.post_json(b"{")
    text = server.get("/metrics").body.decode()
    assert 'captioning_requests_total{route="/v1/captions",status="400"}' in text
    assert 'captioning_rejected_total{reason="invalid_json"}' in text
    assert "captioning_queue_pictures 0.0" in text
    assert 'captioning_request_seconds_count{route="/v1/captions"}' in text
    paths = [f"/nothing/{number}" for number in range(3)]
    assert {server.get(path).status for path in paths} == {404}
    assert "nothing" not in server.get("/metrics").body.decode()
    assert server.get("/healthz").json == {"status": "alive"}
    assert server.get("/readyz").json == {"status": "ready"}
