"""Fills the templates and writes the file.

Everything is in the one file, and a content security policy forbids it to load anything else or to
run any other script than its own. Templates escape what they insert; JSON has no `<`, so that no
caption ends the element that it is in.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from captioning.core.files import atomic_path

_STYLES = ("report.css", "gallery.css")
_SCRIPTS = ("attention.js", "cards.js", "filters.js", "gallery.js")


def write_page(path: Path | str, template: str, content: Mapping[str, Any]) -> int:
    """Fill a template and write it; the file appears only when it is complete.

    Args:
        path: where the HTML file is written; the same content gives the same bytes.
        template: name of the template in assets/.
        content: values for the template; its `gallery` becomes JSON.

    Returns:
        The size of the file in bytes.
    """
    page = _environment().get_template(template).render(**assets(), **content)
    # Lone surrogates, which JSON can carry, are no Unicode text.
    encoded = (page + "\n").encode(errors="replace")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded)
    return len(encoded)


def assets() -> dict[str, str]:
    """The style sheet, the script, and the policy that permits only them."""
    style, script = _joined(_STYLES), _joined(_SCRIPTS)
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return {"style": style, "script": script, "policy": policy}


def _joined(names: tuple[str, ...]) -> str:
    folder = files("captioning.report") / "assets"
    return "\n" + "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _digest(text: str) -> str:
    """What a policy calls the content of an element."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("captioning.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "sort_keys": True,
        "separators": (",", ":"),
        "allow_nan": False,
    }
    environment.filters["figure"] = figure
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment


def figure(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash for what is not defined."""
    if value is None or value != value:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"
