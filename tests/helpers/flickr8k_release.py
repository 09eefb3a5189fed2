"""Archives in the layout of Flickr8k's release."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from captioning.params.datasets import Flickr8kParams

IMAGES = "Flickr8k_Dataset.zip"
TEXT = "Flickr8k_text.zip"


def release(folder: Path, images: Mapping[str, bytes], text: Mapping[str, bytes]) -> Flickr8kParams:
    """Write both archives; return the params that name them."""
    folder.mkdir(exist_ok=True)
    sums = []
    for name, members in ((IMAGES, images), (TEXT, text)):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        sums.append(hashlib.md5((folder / name).read_bytes()).hexdigest())
    return Flickr8kParams(source=str(folder), images_md5=sums[0], captions_md5=sums[1])
