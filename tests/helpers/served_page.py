"""The page of the server in a browser, with fixtures and what several tests ask of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imports import ROOT
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, expect

PICTURES = sorted((ROOT / "data" / "example" / "images").glob("*.jpg"))
PICTURE, OTHER_PICTURE = PICTURES[3], PICTURES[8]
TEXT = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
# The browser may round differently when it draws a part of the page again.
ROUNDING = 3
# A test machine may be busy.
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


class Watched:
    """What a page asked for and wrote to its console.

    Attributes:
        page: the page.
        requests: all requests, those that the browser itself made included.
        problems: errors and warnings in the console, and uncaught exceptions.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[Request] = []
        self.problems: list[str] = []
        page.context.on("request", lambda request: self.requests.append(request))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: self._note(line.type, line.text))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(text)

    def captioned(self) -> int:
        """The number of requests for captions so far."""
        return sum(request.url.endswith("/v1/captions") for request in self.requests)

    def foreign(self, server: str) -> list[str]:
        """Addresses of requests to anything but the server and the browser's own memory."""
        own = (server, "blob:", "data:")
        return [request.url for request in self.requests if not request.url.startswith(own)]


@pytest.fixture
def open_page(browser: Browser, page_server: str) -> Iterator[Callable[..., Watched]]:
    """A function that opens the page; arguments as for `Browser.new_context`."""
    contexts = []

    def open_it(**options: Any) -> Watched:
        options = {"viewport": WIDE, "reduced_motion": "reduce", **options}
        context = browser.new_context(**options)
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.set_default_timeout(TIMEOUT_MS)
        watched.page.goto(page_server)
        watched.page.wait_for_selector("#examples li img")
        return watched

    yield open_it
    for context in contexts:
        context.close()


def add(page: Page, *files: Path | dict[str, Any]) -> None:
    """Choose files, and wait until none of the pictures is waiting for captions."""
    page.set_input_files("#files", [as_upload(file) for file in files])
    settle(page)


def as_upload(file: Path | dict[str, Any]) -> dict[str, Any]:
    """A file in the form in which Playwright takes contents."""
    if isinstance(file, dict):
        return file
    return {"name": file.name, "mimeType": "image/jpeg", "buffer": file.read_bytes()}


def settle(page: Page) -> None:
    """Wait until no picture is waiting for captions."""
    page.wait_for_selector(".card")
    page.wait_for_selector(".card[aria-busy]", state="detached")


def pixels(part: Locator) -> NDArray[np.int16]:
    """What a part of the page shows, int16 `[height, width, 3]`."""
    image = Image.open(io.BytesIO(part.screenshot())).convert("RGB")
    return np.asarray(image).astype(np.int16)


def greatest_change(part: Locator, before: NDArray[np.int16]) -> int:
    """By how much of 255 a pixel of a part of the page differs from what it was."""
    return int(np.abs(pixels(part) - before).max())


def change_results(page: Page, change: str) -> None:
    """Change every result in the server's answers before the page reads them.

    Playwright's own way, `route.fetch`, loses uploaded files.

    Args:
        page: the page.
        change: JavaScript function that changes a result.
    """
    page.evaluate(f"void (window.changeResult = {change})")
    page.evaluate(
        """() => {
          const original = window.fetch;
          window.fetch = async (...asked) => {
            const answer = await original(...asked);
            if (asked[0] !== "v1/captions") return answer;
            const body = await answer.json();
            body.results.forEach(window.changeResult);
            return new Response(JSON.stringify(body), answer);
          };
        }"""
    )


def record_forms(page: Page) -> Callable[[], list[dict[str, Any]]]:
    """Record from now on what the page sends; returns a function that returns it.

    Chromium does not tell Playwright the contents of forms with files.

    Returns:
        A function that returns for each form its fields, files as bytes.
    """
    page.evaluate(
        """() => {
          const original = window.fetch;
          window.forms = [];
          window.fetch = (path, options) => {
            if (options?.body instanceof FormData) window.forms.push(options.body);
            return original(path, options);
          };
        }"""
    )
    read = """() => Promise.all(window.forms.map(async (form) => {
      const bytes = new Uint8Array(await form.get("images").arrayBuffer());
      return { ...Object.fromEntries(form), images: [...bytes] };
    }))"""
    return lambda: [{**form, "images": bytes(form["images"])} for form in page.evaluate(read)]
