"""Draw the pictures of the page in docs/page.md: `make repro` and `captioning serve`, then

    python docs/images/page.py http://localhost:8000

It needs Chromium; CAPTIONING_CHROMIUM can name the program.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

EXAMPLE = "Example 2"
WORD = "triangles"


def draw(browser: Browser, address: str, scheme: str, path: Path) -> None:
    """Caption an example, point at a word, and save what the page shows.

    Args:
        browser: running browser.
        address: address of the page.
        scheme: `light` or `dark`.
        path: PNG file.
    """
    size = {"width": 1320, "height": 780}
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    page.get_by_role("button", name=EXAMPLE, exact=True).click()
    page.locator(".caption .word", has_text=WORD).first.hover()
    page.wait_for_timeout(1000)  # Until all that moves has come to rest.
    page.screenshot(path=path)
    page.close()


def main() -> None:
    """Draw the page in light and in dark colors."""
    program = os.environ.get("CAPTIONING_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        for scheme, name in (("light", "page.png"), ("dark", "page-dark.png")):
            draw(browser, sys.argv[1], scheme, Path(__file__).with_name(name))
        browser.close()


if __name__ == "__main__":
    main()
