"""One of Karpathy's split files in the folder of its images."""

from __future__ import annotations

from collections.abc import Iterator

from captioning.core.errors import InputError
from captioning.download.datasets.folder.files import FolderFiles
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.forms.json_files import json_files, mentions
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Row
from captioning.download.datasets.karpathy_split_file import read_karpathy


def find_karpathy(files: FolderFiles) -> Form | None:
    """The JSON files with a list of images that have a split and sentences."""
    found = [
        name
        for name in json_files(files, "{")
        if mentions(files.root / name, "images", "filename", "split", "sentences", "raw")
    ]
    return Form("Karpathy's split file", tuple(found), _read) if found else None


def _read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield one row for each image."""
    try:
        images = list(read_karpathy((files.root / name).read_bytes(), name))
    except InputError as error:
        problems.add(Location(name), str(error).removeprefix(f"{name} ").removeprefix(f"{name}: "))
        return
    for number, image in enumerate(images):
        location = Location(name, part=f"images[{number}]")
        yield Row(location, image.path, image.captions, image.split, anywhere=True)
