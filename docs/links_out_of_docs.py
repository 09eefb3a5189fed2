"""A hook of MkDocs: links to files of the repository outside of docs/ become plain text.

On GitHub and on a disk these links lead to the files; the site does not contain them.
"""

from __future__ import annotations

import re
from typing import Any

_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\((\.\./[^)\s]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replace the links of a page in docs/ itself."""
    if "/" in page.file.src_uri:
        return markdown
    return _LINK.sub(r"\1", markdown)
