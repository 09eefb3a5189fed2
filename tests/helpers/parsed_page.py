"""Reads an HTML page for tests: its elements, its text and the JSON that it carries."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

# Attributes whose values a browser may load.
LOADING = {"src", "href", "srcset", "action", "formaction", "data", "poster", "background", "ping"}


class ParsedPage(HTMLParser):
    """The parts of a page.

    Attributes:
        elements: name and attributes of every element.
        text: all text outside of scripts and styles, with single spaces.
        scripts, styles: contents of these elements.
        gallery: the JSON in the element `gallery-data`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._text: list[str] = []
        self._open = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        self.text = " ".join(" ".join(self._text).split())
        self.gallery: dict[str, Any] = next(
            json.loads(text) for text in self.scripts if text.startswith("{")
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        {"script": self.scripts, "style": self.styles}.get(self._open, self._text).append(data)

    def references(self) -> list[str]:
        """Everything that the page could load or lead to, apart from its own sections."""
        found = [
            value or ""
            for _, attributes in self.elements
            for name, value in attributes.items()
            if name.split(":")[-1] in LOADING
        ]
        for style in self.styles:
            found += re.findall(r"url\(([^)]*)\)|@import\s+([^;]*)", style)
        return [value for value in found if not str(value).startswith("#")]
