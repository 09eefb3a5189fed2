"""COCO's own files: `captions_train2017.json`, `captions_val2017.json`, and folders of images."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from typing import Any

from captioning.download.datasets.folder.files import FolderFiles
from captioning.download.datasets.folder.forms.base import Form
from captioning.download.datasets.folder.forms.json_files import json_files, mentions
from captioning.download.datasets.folder.json_tables import read_json_text
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Row, RowError, caption_texts, shortened


def find_coco(files: FolderFiles) -> Form | None:
    """The JSON files with captions by image number; those of objects and keypoints have none."""
    found = [
        name
        for name in json_files(files, "{")
        if mentions(files.root / name, "images", "annotations", "caption")
    ]
    return Form("COCO's captions", tuple(found), _read) if found else None


def _read(files: FolderFiles, name: str, problems: Problems) -> Iterator[Row]:
    """Yield one row for each caption; the images are found by their names, in any folder."""
    try:
        value = _parsed(files, name)
        images = _images(value.get("images"), name, problems)
        annotations = value.get("annotations")
        if not isinstance(annotations, list):
            raise RowError("`annotations` is not a list")
    except RowError as error:
        problems.add(Location(name), str(error))
        return
    for number, annotation in enumerate(annotations):
        location = Location(name, part=f"annotations[{number}]")
        try:
            if not isinstance(annotation, dict):
                raise RowError("is not a JSON object")
            image = images.get(_number(annotation, "image_id"))
            if image is None:
                raise RowError(f"there is no image with the id {annotation['image_id']!r}")
            captions = caption_texts(annotation.get("caption"))
            if not captions:
                raise RowError("has no caption")
            yield Row(location, image, tuple(captions), None, anywhere=True)
        except RowError as error:
            problems.add(location, str(error))


def _parsed(files: FolderFiles, name: str) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        RowError: it is not valid.
    """
    try:
        value = json.loads(read_json_text(files.root / name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, RowError):
            raise
        raise RowError(f"the JSON file is damaged or cut off ({error})") from None
    if not isinstance(value, dict):
        raise RowError("is not a JSON object")
    return value


def _images(values: Any, name: str, problems: Problems) -> dict[Hashable, str]:
    """The file names by number.

    Raises:
        RowError: `values` is not a list.
    """
    if not isinstance(values, list):
        raise RowError("`images` is not a list")
    images: dict[Hashable, str] = {}
    for number, value in enumerate(values):
        location = Location(name, part=f"images[{number}]")
        try:
            file = value.get("file_name") if isinstance(value, dict) else None
            if not isinstance(file, str) or not file.strip():
                raise RowError("has no file_name")
            if images.setdefault(_number(value, "id"), file) != file:
                raise RowError(f"the id {value['id']!r} is that of another image, too")
        except RowError as error:
            problems.add(location, str(error))
    return images


def _number(value: dict[str, Any], key: str) -> Hashable:
    """The number of an image.

    Raises:
        RowError: it is missing, or neither a number nor a text.
    """
    number = value.get(key)
    if not isinstance(number, int | str) or isinstance(number, bool):
        raise RowError(f"{key} must be a number or a text, not {shortened(number)}")
    return number
