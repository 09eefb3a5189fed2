"""Pictures with captions in the forms in which datasets are published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from own_pictures import picture, read

from captioning.core.errors import InputError

# Six pictures, named as Flickr names them.
PICTURES = {
    f"{number}_{colour}.jpg": picture(colour, "JPEG")
    for number, colour in enumerate(("red", "green", "blue", "gold", "teal", "pink"))
}
NAMES = tuple(PICTURES)


def published(folder: Path, files: Mapping[str, str | bytes], images: str) -> Path:
    """Write files, and `PICTURES` in the subfolder `images`."""
    for name, content in {**files, **{f"{images}/{n}": d for n, d in PICTURES.items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def problems(folder: Path) -> list[str]:
    """The problems that are listed for a folder."""
    with pytest.raises(InputError) as caught:
        read(folder)
    heading, *lines = str(caught.value).split("\n  ")
    assert heading.startswith(f"{folder} has {len(lines)} problem")
    return lines
