"""Find images that occur under several names, also in different encodings, and keep one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from captioning.data.images.decode import ImageError
from captioning.download.datasets.base import Rejections
from captioning.download.datasets.folder.digests import Outcome
from captioning.download.datasets.folder.images import FolderImage

# Which copy is kept if the copies are in different splits: the test split must not change.
_PRECEDENCE = ("test", "validation", "train", None)


def without_duplicates(
    images: Iterable[tuple[FolderImage, Outcome]], rejections: Rejections
) -> list[FolderImage]:
    """Keep one of the images that have the same pixels, and fill in `contents` of all images.

    Of copies in the same split, the first one is kept, and the others' captions are added to its
    captions. Of copies in different splits, the one in test is kept, else the one in validation.

    Args:
        images: images with their digests, or why they cannot be decoded.
        rejections: collects the other copies, and the images that cannot be decoded.
    """
    by_pixels: dict[bytes, list[FolderImage]] = defaultdict(list)
    for image, outcome in images:
        if isinstance(outcome, ImageError):
            rejections.add(outcome.reason, f"{image.name} ({outcome.detail})")
            continue
        contents, pixels = outcome
        image.contents.append(contents)
        by_pixels[pixels].append(image)
    return [_keep_one(copies, rejections) for copies in by_pixels.values()]


def _keep_one(copies: list[FolderImage], rejections: Rejections) -> FolderImage:
    """Return the copy that is kept; add the others to `rejections`."""
    kept = min(copies, key=lambda image: _PRECEDENCE.index(image.split))
    for other in copies:
        if other is kept:
            continue
        if other.split == kept.split:
            rejections.add("same picture as another", f"{other.name} (as {kept.name})")
            kept.captions += [text for text in other.captions if text not in kept.captions]
            kept.contents += other.contents
        else:
            rejections.add(
                "same picture in another split",
                f"{other.name} in {other.split} (as {kept.name} in {kept.split})",
            )
    return kept
