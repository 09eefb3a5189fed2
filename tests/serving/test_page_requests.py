"""What the page sends to the server, and what it says when something goes wrong."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from served_page import (
    OTHER_PICTURE,
    PICTURE,
    TEXT,
    add,
    pixels,
    record_forms,
    settle,
)

pytestmark = pytest.mark.slow


def test_a_text_file_beside_a_picture_gets_an_error_and_the_picture_its_caption(open_page):
    watched = open_page()
    add(watched.page, PICTURE, TEXT)
    good = watched.page.get_by_role("article", name=PICTURE.name)
    bad = watched.page.get_by_role("article", name="notes.txt")
    expect(good.locator(".caption .word").first).to_be_visible()
    expect(bad.locator(".notice.error")).to_contain_text("No caption.")
    expect(bad.locator(".notice.error")).to_contain_text(re.compile("not an image", re.I))
    assert watched.problems == []


def test_a_server_that_is_gone_is_reported_and_trying_again_works(open_page):
    page = open_page().page
    page.route("**/v1/captions", lambda route: route.abort())
    page.set_input_files("#files", PICTURE)
    expect(page.locator("#trouble")).to_contain_text("The server does not answer")
    expect(page.locator(".card")).to_contain_text("The server does not answer")
    page.unroute("**/v1/captions")
    page.locator("#trouble").get_by_role("button", name="Try again").click()
    settle(page)
    expect(page.locator(".caption .word").first).to_be_visible()
    expect(page.locator("#trouble")).to_be_empty()


def test_a_busy_server_is_asked_again_after_the_time_that_it_names(open_page):
    page = open_page().page
    refusal = {"status": 503, "headers": {"Retry-After": "1"}, "body": "{}"}
    page.route("**/v1/captions", lambda route: route.fulfill(**refusal), times=1)
    page.set_input_files("#files", PICTURE)
    expect(page.locator(".reading")).to_have_text(
        "The server is busy. Try again in a moment. The next attempt is in 1 s."
    )
    expect(page.locator(".caption .word").first).to_be_visible()


def test_a_refusal_without_a_message_of_the_server_is_in_plain_words(open_page):
    page = open_page().page
    page.route("**/v1/captions", lambda route: route.fulfill(status=413, body="<html>"))
    page.set_input_files("#files", PICTURE)
    expect(page.locator(".notice.error")).to_contain_text("too large for the server. Scale it down")


def test_a_server_that_wants_a_token_is_given_the_one_that_the_user_types(open_page):
    page = open_page().page
    asked = []

    def check(route):
        asked.append(route.request.headers.get("authorization"))
        if asked[-1] == "Bearer right":
            route.continue_()
        else:
            route.fulfill(status=401, body="{}")

    page.route("**/v1/captions", check)
    page.set_input_files("#files", PICTURE)
    dialog = page.get_by_role("dialog", name="This server asks for a token")
    for token in "wrong", "right":
        dialog.get_by_label("Token").fill(token)
        page.keyboard.press("Enter")
    settle(page)
    expect(page.locator(".caption .word").first).to_be_visible()
    assert asked == [None, "Bearer wrong", "Bearer right"]
    add(page, OTHER_PICTURE)
    assert asked[3:] == ["Bearer right"]


def test_without_a_token_the_card_says_what_is_missing_and_can_try_again(open_page):
    page = open_page().page
    page.route("**/v1/captions", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.set_input_files("#files", PICTURE)
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator(".notice.error")).to_contain_text("The server did not accept the token.")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".caption .word").first).to_be_visible()


def test_addresses_can_be_given_only_where_the_server_fetches_them(open_page, page_server):
    page = open_page().page
    expect(page.get_by_label("Address of a picture")).to_be_hidden()

    def allow(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "allow_urls": True})

    page.route("**/v1/model", allow)
    page.goto(page_server)
    page.get_by_label("Address of a picture").fill("https://example.org/a%20dog.jpg")
    with page.expect_request("**/v1/captions") as request:
        page.keyboard.press("Enter")
    assert request.value.post_data_json["images"] == [{"url": "https://example.org/a%20dog.jpg"}]
    card = page.get_by_role("article", name="a dog.jpg")
    # This server was started without --allow-urls.
    expect(card.locator(".notice.error")).to_contain_text("fetches no URLs")


def test_a_large_picture_is_scaled_down_upright_before_the_upload(open_page):
    noise = np.random.default_rng(0).integers(0, 40, (1200, 1800, 3), np.uint8)
    noise[:, :900, 0] += 200  # Red on the left; on top once the picture is upright.
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = io.BytesIO()
    Image.fromarray(noise).save(encoded, "JPEG", exif=exif, quality=95)
    assert encoded.tell() > 1_000_000
    page = open_page().page
    file = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": encoded.getvalue()}
    forms = record_forms(page)
    add(page, file)
    sent = Image.open(io.BytesIO(forms()[0]["images"]))
    assert sent.size == (683, 1024)
    assert sent.getexif().get(0x0112, 1) == 1
    rows = np.asarray(sent.convert("RGB"))[:, :, 0].mean(axis=1)
    assert rows[:400].min() > 180 and rows[-400:].max() < 80
    frame = pixels(page.locator(".frame"))[:, :, 0].mean(axis=1)
    assert len(frame) > 300 and frame[40:100].min() > 180 and frame[-100:-40].max() < 80


def test_a_small_picture_is_sent_unchanged(open_page):
    page = open_page().page
    forms = record_forms(page)
    add(page, PICTURE)
    assert [form["images"] for form in forms()] == [PICTURE.read_bytes()]


def test_nothing_leaves_the_server_and_the_console_stays_empty(open_page, page_server):
    watched = open_page()
    page = watched.page
    page.get_by_role("button", name="Example 1").click()
    add(page, PICTURE, TEXT)
    page.locator(".word").first.hover()
    page.get_by_label("Greedy").check()
    page.wait_for_timeout(500)
    settle(page)
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator(".card")).to_have_count(0)
    assert watched.captioned() >= 5
    assert watched.foreign(page_server) == []
    assert watched.problems == []
