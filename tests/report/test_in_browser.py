"""Reports in a real browser: filters, order, pages, attention, narrow screens, hostile captions."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import browser  # noqa: F401
from experiments import inside
from parsed_page import ParsedPage
from playwright.sync_api import Page
from report_project import HOSTILE, write_hostile_project

from captioning.cli.main import main

pytestmark = pytest.mark.slow
NARROW = {"width": 360, "height": 740}
# Chromium's advice about canvases whose pixels are read, as only these tests do.
READS_BACK = "willReadFrequently"


@pytest.fixture
def open_report(browser) -> Iterator:  # noqa: F811
    """Opens a report; at the end there must have been no error, no warning and no request."""
    problems: list[str] = []
    pages: list[Page] = []

    def opened(path: Path, **settings) -> Page:
        page = browser.new_page(**settings)
        pages.append(page)
        page.set_default_timeout(10_000)
        page.on(
            "console",
            lambda message: READS_BACK in message.text or problems.append(message.text),
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((path.as_uri(), "data:image/webp;"))
                else problems.append(request.url)
            ),
        )
        page.goto(path.as_uri())
        page.wait_for_selector("#cards .card")
        return page

    yield opened
    for page in pages:
        page.close()
    assert problems == []


@pytest.fixture(scope="module")
def hostile_project(tmp_path_factory) -> Path:
    return write_hostile_project(tmp_path_factory.mktemp("hostile") / "project")


def ids(page: Page) -> list[str]:
    """Ids of the pictures on the shown page of the gallery."""
    return page.locator("#cards .card").evaluate_all(
        "cards => cards.map(card => card.getAttribute('aria-label'))"
    )


def all_ids(page: Page) -> list[str]:
    """Ids of the pictures on all pages of the gallery."""
    found = ids(page)
    next_page = page.locator(".bar [data-step='1']")
    while next_page.is_visible() and next_page.is_enabled():
        next_page.click()
        found += ids(page)
    return found


def items_of(path: Path) -> list[dict]:
    return ParsedPage(path).gallery["items"]


def test_a_word_leaves_the_pictures_whose_captions_have_it(scenes_report, open_report):
    page = open_report(scenes_report)
    items = items_of(scenes_report)
    word = next(
        word
        for word in items[0]["captions"][0]["text"].split()
        if sum(word in item["captions"][0]["text"].split() for item in items) < len(items) // 2
    )
    page.locator("#words-field").fill(word.upper())
    wanted = [i["id"] for i in items if word in i["captions"][0]["text"].split()]
    assert all_ids(page) == wanted
    assert page.locator("#count").inner_text() == f"{len(wanted)} of {len(items)} pictures"
    page.locator("#words-field").fill(f"-{word}")
    assert all_ids(page) == [item["id"] for item in items if item["id"] not in wanted]
    page.locator("#words-field").fill("unheardof")
    assert ids(page) == [] and "No picture is left" in page.locator("#count").inner_text()
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("document.querySelectorAll('#cards .card').length > 0")
    assert all_ids(page) == [item["id"] for item in items]


def test_references_are_searched_when_asked(scenes_report, open_report):
    page = open_report(scenes_report)
    items = items_of(scenes_report)
    words = {word for item in items for text in item["references"] for word in text.split()}
    word = min(
        words - {word for item in items for word in item["captions"][0]["text"].split()},
        key=lambda word: (-len(word), word),
    )
    page.locator("#words-field").fill(word)
    assert ids(page) == []
    page.locator("[name=place]").select_option("references")
    wanted = [i["id"] for i in items if any(word in text.split() for text in i["references"])]
    assert wanted and all_ids(page) == wanted


def test_pictures_are_sorted_by_score_best_or_worst_first(scenes_report, open_report):
    page = open_report(scenes_report)
    scores = {i["id"]: i["captions"][0]["cider_d"] for i in items_of(scenes_report)}
    page.get_by_label("Sort by").select_option("cider_d:down")
    best_first = [scores[image] for image in all_ids(page)]
    assert best_first == sorted(scores.values(), reverse=True)
    page.get_by_label("Sort by").select_option("cider_d:up")
    assert [scores[image] for image in all_ids(page)] == sorted(scores.values())


def test_a_range_of_a_score_filters(scenes_report, open_report):
    page = open_report(scenes_report)
    items = items_of(scenes_report)
    middle = sorted(item["captions"][0]["rouge_l"] for item in items)[len(items) // 2]
    page.get_by_label("Only with").select_option("rouge_l")
    page.get_by_label("from", exact=True).fill(str(middle))
    wanted = [item["id"] for item in items if item["captions"][0]["rouge_l"] >= middle]
    assert 0 < len(wanted) < len(items) and all_ids(page) == wanted


def test_wrong_claims_filter(scenes_report, open_report):
    page = open_report(scenes_report)
    items = items_of(scenes_report)
    for claim in ("any", "colour", "count"):
        page.get_by_label("Claims").select_option(claim)
        wrong = [item["captions"][0].get("wrong", []) for item in items]
        wanted = [
            item["id"]
            for item, claims in zip(items, wrong, strict=True)
            if claim in claims or (claim == "any" and claims)
        ]
        assert wanted and all_ids(page) == wanted


def test_pages_have_24_pictures(scenes_report, open_report):
    page = open_report(scenes_report)
    pager = page.locator(".bar .pages")
    assert len(ids(page)) == 24 and "Page 1 of 2" in pager.inner_text()
    pager.get_by_text("Next").click()
    assert len(ids(page)) == 6 and pager.get_by_text("Next").is_disabled()
    pager.get_by_text("Previous").click()
    assert len(ids(page)) == 24 and pager.get_by_text("Previous").is_disabled()


VEIL = """canvas => Array.from(
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)
    .filter((_, place) => place % 4 === 3)"""


def test_pointing_at_a_word_changes_the_veil(scenes_report, open_report):
    page = open_report(scenes_report)
    card = page.locator("#cards .card").first
    canvas, words = card.locator("canvas"), card.locator(".word")
    seen = []
    for number in (0, 1):
        words.nth(number).hover()
        seen.append(canvas.evaluate(VEIL))
        assert words.nth(number).inner_text() in card.locator(".readout").inner_text()
    assert max(seen[0]) > 100 and seen[0] != seen[1]
    page.locator("h1").hover()
    assert max(canvas.evaluate(VEIL)) == 0 and card.locator(".readout").is_hidden()


def test_the_strongest_cell_is_where_the_map_says(scenes_report, open_report):
    """The veil is thinnest in the cell that is highest in the stored map (3 rows, 4 columns)."""
    item = items_of(scenes_report)[0]
    stored = np.frombuffer(base64.b64decode(item["captions"][0]["attention"]), np.uint8)
    cells = stored.reshape(-1, 13)[0, 1:].reshape(3, 4)
    page = open_report(scenes_report)
    card = page.locator("#cards .card").first
    card.locator(".word").first.hover()
    veil = np.array(card.locator("canvas").evaluate(VEIL)).reshape(128, 128)
    centers = veil[np.ix_([21, 64, 106], [16, 48, 80, 112])]
    assert np.corrcoef(centers.ravel(), cells.ravel())[0, 1] < -0.9


def test_the_keyboard_leads_from_word_to_word(scenes_report, open_report):
    page = open_report(scenes_report)
    words = page.locator("#cards .card").first.locator(".word")
    words.first.focus()
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == words.nth(1).inner_text()
    assert focused in page.locator("#cards .readout").first.inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#cards .readout").first.is_hidden()
    tab_stops = words.evaluate_all("all => all.filter(word => word.tabIndex === 0).length")
    assert tab_stops == 1


def test_words_of_the_tables_lead_to_their_pictures(scenes_report, open_report):
    page = open_report(scenes_report)
    button = page.locator("[data-word]").nth(3)
    word = button.inner_text()
    button.click()
    assert page.locator("#words-field").input_value() == word
    items = items_of(scenes_report)
    texts = {i["id"]: " ".join([i["captions"][0]["text"], *i["references"]]) for i in items}
    assert all_ids(page) == [image for image in texts if word in texts[image].split()]


def test_two_revisions_are_side_by_side_and_sorted_by_change(two_report, open_report):
    page = open_report(two_report)
    first = page.locator("#comparison .card").first
    assert first.locator(".whose").all_inner_texts() == ["half", "workspace"]
    page.get_by_role("button", name="Sort all pictures by their change").click()
    changes = {i["id"]: abs(i["captions"][1]["change"]) for i in items_of(two_report)}
    assert [changes[image] for image in all_ids(page)] == sorted(changes.values(), reverse=True)
    words = items_of(two_report)[0]["captions"]
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("document.querySelector('[name=order]').value === ''")
    page.get_by_label("Captions of").select_option(label="half")
    page.locator("#words-field").fill(words[0]["text"])
    assert items_of(two_report)[0]["id"] in ids(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_telephone(two_report, open_report, scheme):
    page = open_report(two_report, viewport=NARROW, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_every_control_and_picture_has_a_name(two_report, open_report):
    page = open_report(two_report)
    unnamed = page.evaluate(
        """[...document.querySelectorAll('input, select')].filter(c => !c.labels.length).length
        + [...document.querySelectorAll('img')].filter(image => !image.alt).length
        + [...document.querySelectorAll('table')].filter(t => !t.querySelector('th')).length"""
    )
    assert unnamed == 0


def test_hostile_captions_stay_text(hostile_project, tmp_path, open_report, capsys):
    path = tmp_path / "hostile.html"
    with inside(hostile_project):
        assert main(["report", "-o", str(path)]) == 0
    assert "no attention maps" in capsys.readouterr().err
    page = open_report(path, viewport=NARROW)
    assert page.title() == "Captions of <i>folder</i>: workspace"
    assert page.locator("h1 i").count() == 0
    texts = page.locator("#cards .text").all_inner_texts()
    assert [text.split() for text in texts] == [
        HOSTILE[number - 1].split() for number in range(len(HOSTILE))
    ]
    assert page.locator("#cards img").count() == len(HOSTILE)
    assert page.locator("[onload], [onerror]").count() == 0
    for number in (0, 2, 4):
        page.locator("#words-field").fill(HOSTILE[number].split()[0])
        assert ids(page) == [f"test{HOSTILE[(number + 1) % len(HOSTILE)]}"]
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_hostile_data_stay_text(hostile_project, tmp_path, open_report):
    path = tmp_path / "data.html"
    with inside(hostile_project):
        assert main(["report", "--data", "-o", str(path)]) == 0
    page = open_report(path)
    assert page.title() == "Data of <i>folder</i>"
    assert page.locator("[onload], [onerror]").count() == 0
    page.locator("#split-field").select_option("validation")
    assert sorted(ids(page)) == sorted(f"validation{text}" for text in HOSTILE)
