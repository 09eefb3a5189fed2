"""The page by keyboard alone, on a narrow screen, in the dark, and for screen readers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from served_page import (
    NARROW,
    PICTURE,
    ROUNDING,
    TEXT,
    WIDE,
    add,
    change_results,
    greatest_change,
    pixels,
    settle,
)

pytestmark = pytest.mark.slow

# WCAG 2.2, relative luminance and contrast ratio, of every text that can be seen.
CONTRASTS = """() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] === 1) return color;
    }
    return [255, 255, 255, 1];
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest(".visually-hidden")) continue;
    const [front, back] = [parse(getComputedStyle(element).color), background(element)];
    const [dark, light] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    found[text] = (light + 0.05) / (dark + 0.05);
  }
  return found;
}"""

SMALL_TARGETS = """() => [...document.querySelectorAll("button, input, summary, a")]
  .filter((element) => element.checkVisibility() && !element.matches("[hidden], [type=file]"))
  .map((element) => ({ element, box: element.getBoundingClientRect() }))
  // A word is a part of a sentence; its width is that of its letters.
  .filter(({ element, box }) => box.height < 40 || (box.width < 40 && !element.matches(".word")))
  .map(({ element, box }) => `${element.outerHTML} ${box.width}x${box.height}`)"""


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is on an element that the selector matches, and visibly so."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def fill_with_everything(page: Page) -> None:
    """Show captions, a warning and an error at once."""
    change_results(page, "(result) => { result.unfamiliar = true; }")
    add(page, PICTURE, TEXT)
    expect(page.locator(".notice")).to_have_count(2)


def test_the_keyboard_alone_does_everything(open_page):
    watched = open_page(permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    # Chromium is told now that no window is to open; the press of the key could overtake it later.
    page.on("filechooser", lambda _: None)
    tab_to(page, "#choose")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(PICTURE)
    settle(page)

    tab_to(page, "input[name=decoder]")
    page.keyboard.press("ArrowLeft")  # From beam search, the first, to sampling, the last.
    expect(page.locator("input[value=sample]")).to_be_checked()
    tab_to(page, "#n")
    page.keyboard.press("End")
    expect(page.locator(".alternatives li")).to_have_count(4)

    tab_to(page, ".card header button:nth-of-type(2)")
    page.keyboard.press("Enter")
    expect(page.locator("#announcements")).to_have_text("Caption copied")

    before = pixels(page.locator(".frame"))
    tab_to(page, ".caption .word")
    assert greatest_change(page.locator(".frame"), before) > 20
    words = page.locator(".caption .word").all_inner_texts()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".word.shown")).to_have_text(words[1])
    page.keyboard.press("End")
    expect(page.locator(".word.shown")).to_have_text(words[-1])
    tab_to(page, ".alternatives .word")
    page.keyboard.press("Escape")
    assert greatest_change(page.locator(".frame"), before) <= ROUNDING

    tab_to(page, ".card header button:last-of-type")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator("#choose")).to_be_focused()
    assert watched.problems == []


def test_the_focus_is_visible_on_every_control(open_page):
    page = open_page().page
    add(page, PICTURE)
    page.evaluate("document.activeElement.blur()")
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => {
          const element = document.activeElement;
          const marked = element.matches("[type=radio]") ? element.nextElementSibling : element;
          const style = getComputedStyle(marked);
          return [element.outerHTML, style.outlineStyle, parseFloat(style.outlineWidth)];
        }""")
        if found[0].startswith("<body"):
            break
        seen.add(found[0])
        assert found[1] == "solid" and found[2] >= 2, found
    assert len(seen) > 15


@pytest.mark.parametrize("width", [360, 320])
def test_a_narrow_screen_needs_no_horizontal_scrolling_and_has_large_targets(open_page, width):
    page = open_page(viewport={**NARROW, "width": width}, has_touch=True).page
    for state in ("before", "with results"):
        if state == "with results":
            fill_with_everything(page)
            page.locator("#settings summary").tap()
            page.get_by_label("Sampling").check()
            page.wait_for_timeout(500)
            settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state
        assert page.evaluate(SMALL_TARGETS) == [], state


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_text_has_enough_contrast(open_page, scheme, viewport):
    page = open_page(color_scheme=scheme, viewport=viewport).page
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", ground)[0]) < 60) == (scheme == "dark")
    empty = page.evaluate(CONTRASTS)
    fill_with_everything(page)
    page.locator(".word").first.hover()
    full = page.evaluate(CONTRASTS)
    assert len(empty) >= 8 and len(full) > len(empty)
    assert {text: ratio for text, ratio in {**empty, **full}.items() if ratio < 4.5} == {}


def test_every_control_has_a_name_for_screen_readers(open_page):
    page = open_page().page
    fill_with_everything(page)
    page.get_by_label("Sampling").check()
    page.wait_for_timeout(500)
    settle(page)
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "radio", "slider", "spinbutton", "textbox", "link", "DisclosureTriangle"}
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] in controls | {"image", "article"}
    ]
    assert {role for role, _ in named} >= {"button", "radio", "slider", "spinbutton", "article"}
    assert [role for role, name in named if not name.strip()] == []


def test_the_caption_and_its_words_are_read_out(open_page):
    page = open_page().page
    add(page, PICTURE)
    caption = page.locator(".caption .words").inner_text()
    expect(page.get_by_role("group", name=f"Caption: {caption}")).to_be_visible()
    expect(page.get_by_role("img", name=caption)).to_be_visible()
    first = page.locator(".caption .word").first
    place = r"(upper|lower)? ?(left|right)|top|bottom|center"
    name = re.compile(rf"^{re.escape(first.inner_text())}, looked most at the ({place})$")
    assert name.match(first.get_attribute("aria-label"))
