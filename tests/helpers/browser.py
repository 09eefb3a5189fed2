"""A headless Chromium for tests of pages; tests that need it are skipped where it is missing.

A test module imports the fixture `browser`, or calls `start_browser`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium: install the package chromium, or set CAPTIONING_CHROMIUM to its path"


def find_chromium() -> str | None:
    """The program that CAPTIONING_CHROMIUM names, or the first of NAMES on the PATH, or None."""
    return shutil.which(os.environ.get("CAPTIONING_CHROMIUM", "")) or next(
        filter(None, map(shutil.which, NAMES)), None
    )


@contextmanager
def start_browser() -> Iterator[Browser]:
    """A running browser.

    Without Chromium the test is skipped; in continuous integration (CI=true) it fails, because
    there nobody would notice.
    """
    program = find_chromium()
    if program is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program)
        yield running
        running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running browser, shared by the tests of a module.

    Playwright runs an event loop in this thread until it ends, and `asyncio.run` refuses to work
    beside it. So the browser does not outlive the module, whose neighbors may need `asyncio.run`.
    """
    with start_browser() as running:
        yield running
