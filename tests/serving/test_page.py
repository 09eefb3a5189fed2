"""The page in a real browser, before a real server."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect
from served_page import (
    OTHER_PICTURE,
    PICTURE,
    ROUNDING,
    TEXT,
    add,
    change_results,
    greatest_change,
    pixels,
    record_forms,
    settle,
)

pytestmark = pytest.mark.slow
# Adds the picture at a path on the server, in the way that a test chooses.
AS_TRANSFER = """async (path) => {
  const blob = await (await fetch(path)).blob();
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], "moved.jpg", { type: blob.type }));
  return transfer;
}"""


def test_a_chosen_picture_gets_a_caption_and_alternatives_with_their_probabilities(open_page):
    watched = open_page()
    with watched.page.expect_response("**/v1/captions") as answer:
        add(watched.page, PICTURE)
    best, *others = answer.value.json()["results"][0]["captions"]
    card = watched.page.locator(".card")
    assert len(others) == 2
    expect(card.locator(".caption .words")).to_have_text(best["text"])
    assert card.locator(".alternatives .words").all_inner_texts() == [
        other["text"] for other in others
    ]
    shown = card.locator(".probability").all_inner_texts()
    for text, caption in zip(shown, (best, *others), strict=True):
        number = float(re.search(r"([\d.]+)%", text)[1]) / 100
        assert number == pytest.approx(caption["probability"], rel=0.06, abs=1e-6)
    assert card.locator("img").get_attribute("alt") == best["text"]
    expect(watched.page.locator("#announcements")).to_have_text(re.compile(best["text"]))
    assert watched.problems == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_pointing_at_a_word_changes_the_picture_and_leaving_it_restores_the_picture(
    open_page, motion
):
    page = open_page(reduced_motion=motion).page
    add(page, PICTURE)
    picture = page.locator(".frame")
    before = pixels(picture)
    for words in (".caption .word", ".alternatives .word"):
        page.locator(words).nth(1).hover()
        page.wait_for_timeout(400)
        assert greatest_change(picture, before) > 20
        page.mouse.move(0, 0)
        page.wait_for_timeout(400)
        assert greatest_change(picture, before) <= ROUNDING


def test_the_picture_keeps_its_colors_where_the_decoder_looked_and_is_pale_elsewhere(open_page):
    page = open_page().page

    upper_left = "[[1, 0], [0, 0]]"
    change_results(
        page,
        f"(result) => result.captions[0].words.forEach((word) => word.attention = {upper_left})",
    )
    add(page, PICTURE)
    picture = page.locator(".frame")
    before = pixels(picture)
    page.locator(".caption .word").first.hover()
    change = np.abs(pixels(picture) - before).mean(axis=2)
    height, width = change.shape
    assert change[30 : height // 5, 30 : width // 5].mean() < 1
    assert change[height * 4 // 5 : -30, width * 4 // 5 : -30].mean() > 10
    expect(page.locator(".reading")).to_contain_text("upper left, with 100% of the attention")


def test_a_finger_shows_a_word_and_another_place_hides_it(open_page):
    page = open_page(has_touch=True).page
    add(page, PICTURE)
    picture = page.locator(".frame")
    before = pixels(picture)
    page.locator(".caption .word").nth(1).tap()
    assert greatest_change(picture, before) > 20
    page.locator(".top").tap()
    assert greatest_change(picture, before) <= ROUNDING


def test_play_shows_one_word_after_the_other(open_page):
    page = open_page().page
    add(page, PICTURE)
    words = page.locator(".caption .word").all_inner_texts()
    page.get_by_role("button", name="word by word").click()
    for word in words:
        expect(page.locator(".word.shown")).to_have_text(word)
    expect(page.locator(".word.shown")).to_have_count(0)


def test_a_picture_can_be_dropped_and_pasted(open_page, page_server):
    page = open_page().page
    path = page.evaluate("async () => (await (await fetch('v1/examples')).json())[0].url")
    transfer = page.evaluate_handle(AS_TRANSFER, path)
    page.dispatch_event(".drop", "dragenter", {"dataTransfer": transfer})
    expect(page.locator("body")).to_have_class(re.compile("dropping"))
    page.dispatch_event(".drop", "drop", {"dataTransfer": transfer})
    settle(page)
    expect(page.locator("body")).not_to_have_class(re.compile("dropping"))
    page.evaluate(
        """(clipboardData) => document.body.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true }))""",
        transfer,
    )
    expect(page.locator(".card")).to_have_count(2)
    settle(page)
    expect(page.locator(".caption .words")).to_have_count(2)


def test_an_example_brings_what_people_wrote_about_it(open_page):
    page = open_page().page
    example = page.evaluate("async () => (await (await fetch('v1/examples')).json())[0]")
    page.get_by_role("button", name="Example 1").click()
    settle(page)
    page.get_by_text("What people wrote").click()
    assert page.locator(".references li").all_inner_texts() == example["references"]


def test_changed_settings_caption_all_pictures_again_and_only_once(open_page):
    watched = open_page()
    page = watched.page
    add(page, PICTURE, OTHER_PICTURE)
    assert watched.captioned() == 2
    forms = record_forms(page)
    page.get_by_label("Sampling").check()
    for number in "1", "4", "5":
        page.get_by_role("slider", name="Captions").fill(number)
    expect(page.locator(".alternatives").first.locator("li")).to_have_count(4)
    settle(page)
    assert watched.captioned() == 4
    assert page.locator(".alternatives h3").all_inner_texts() == ["Other samples"] * 2
    form = forms()[-1]
    del form["images"]
    assert form == {
        "decoder": "sample",
        "n": "5",
        "temperature": "1",
        "top_p": "1",
        "seed": "0",
        "attention": "true",
    }


def test_sampling_with_another_seed_gives_other_captions(open_page):
    page = open_page().page
    page.get_by_label("Sampling").check()
    page.get_by_role("slider", name="Captions").fill("5")
    add(page, PICTURE)
    first = page.locator(".card .words").all_inner_texts()
    with page.expect_response("**/v1/captions"):
        page.get_by_label("Seed", exact=True).fill("7")
    settle(page)
    assert page.locator(".card .words").all_inner_texts() != first


def test_more_captions_than_beams_widen_the_search(open_page):
    page = open_page().page
    page.get_by_role("slider", name="Captions").fill("5")
    expect(page.get_by_label("Beam width")).to_have_value("5")
    page.get_by_label("Beam width").fill("2")
    expect(page.get_by_role("slider", name="Captions")).to_have_value("2")


def test_an_unfamiliar_picture_has_a_warning(open_page):
    page = open_page().page
    change_results(page, "(result) => { result.unfamiliar = true; }")
    add(page, PICTURE)
    expect(page.locator(".notice.unfamiliar")).to_contain_text("unlike those that the model")
    expect(page.locator("#announcements")).to_contain_text("Unfamiliar picture")


def test_the_caption_can_be_copied_and_the_results_downloaded(open_page):
    page = open_page(permissions=["clipboard-read", "clipboard-write"]).page
    add(page, PICTURE, TEXT)
    caption = page.locator(".caption .words").inner_text()
    page.get_by_role("button", name="Copy the caption").click()
    expect(page.get_by_role("button", name="Copy the caption")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == caption
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    saved = json.loads(download.value.path().read_text(encoding="utf-8"))
    found = {result["name"]: result for result in saved["results"]}
    assert found[PICTURE.name]["captions"][0]["text"] == caption
    assert found[PICTURE.name]["settings"]["beam_width"] == 3
    assert re.search("not an image", found["notes.txt"]["error"], re.I)
