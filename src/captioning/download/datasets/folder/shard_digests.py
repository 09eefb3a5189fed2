"""Compute the digests of all images in shards of an object store, on a Ray cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from captioning.cluster.object_store import Store
from captioning.cluster.ray import Resources, cluster_address, map_on_cluster
from captioning.data.images.decode import ImageError
from captioning.download.datasets.folder.digests import Outcome, digests
from captioning.download.datasets.folder.images import FolderImage


def are_for_a_cluster(images: Sequence[FolderImage]) -> bool:
    """Whether a cluster is there, and all images are in an object store that it can reach."""
    return cluster_address() is not None and all("://" in image.file for image in images)


def digests_from_cluster(images: Sequence[FolderImage]) -> Iterator[tuple[FolderImage, Outcome]]:
    """Yield each image with its digests, in the given order; there is one task for each shard.

    Args:
        images: images in shards; those of one shard follow each other.

    Raises:
        InputError: a shard cannot be read, or the cluster fails (see `map_on_cluster`).
    """
    shards = {url: list(group) for url, group in groupby(images, key=lambda image: image.file)}
    rows = (
        {"url": url, "members": json.dumps([image.member for image in group])}
        for url, group in shards.items()
    )
    found: dict[str, str] = {}
    for row in map_on_cluster(shard_digests, rows, Resources.from_environment()):
        found[row["url"]] = row["digests"]
    for url, group in shards.items():
        for image, values in zip(group, json.loads(found.pop(url)), strict=True):
            if len(values) == 3:
                yield image, ImageError(*values)
            else:
                yield image, (bytes.fromhex(values[0]), bytes.fromhex(values[1]))


def shard_digests(row: dict[str, Any]) -> dict[str, Any]:
    """Read the images of one shard, in any process on any machine.

    Args:
        row: `url` of the shard; `members`: list of the names, offsets and sizes of its images, as
            JSON.

    Returns:
        `url`; `digests`: for each image the two digests in hexadecimal, or the name, reason and
        detail of an `ImageError`, as JSON.
    """
    folder, _, basename = row["url"].rpartition("/")
    found = []
    with Store(folder).open(basename) as file:
        for name, offset, size in json.loads(row["members"]):
            file.seek(offset)
            try:
                contents, pixels = digests(file.read(size), name)
                found.append([contents.hex(), pixels.hex()])
            except ImageError as error:
                found.append([name, error.reason, error.detail])
    return {"url": row["url"], "digests": json.dumps(found)}
