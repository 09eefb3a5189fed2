"""Find out which layout a folder has, and read the rows of its caption files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from captioning.core.errors import InputError
from captioning.download.datasets.folder.files import FolderFiles, by_stem, stem, suffix
from captioning.download.datasets.folder.json_tables import read_json_lines
from captioning.download.datasets.folder.parquet import read_parquet
from captioning.download.datasets.folder.problems import Location, Problems
from captioning.download.datasets.folder.rows import Row
from captioning.download.datasets.folder.split_names import SPLIT_NAMES
from captioning.download.datasets.folder.text_tables import read_delimited

Reader = Callable[[Path, str, Problems], Iterator[Row]]
READERS: dict[str, Reader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
}
_TABLE = re.compile(rf"(captions|metadata)({'|'.join(map(re.escape, READERS))})", re.IGNORECASE)
_SUPPORTED_LAYOUTS = """
Put the captions in exactly one of these places:
  captions.csv, .tsv, .jsonl or .parquet in the folder (or metadata., as Hugging Face names it),
  one such file in each of the folders train, validation, test,
  Parquet files that contain the images too, train-00000-of-00001.parquet and so on,
  a .txt file next to each image."""


@dataclass(frozen=True)
class Layout:
    """Where the captions are: in `tables` or in `texts`.

    Attributes:
        tables: sorted names of caption files, or of Parquet files with images.
        texts: names of `.txt` files next to images.
        unmatched_texts: names of other `.txt` files, if there are `texts`.
    """

    tables: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    unmatched_texts: tuple[str, ...] = ()

    def rows(self, files: FolderFiles, problems: Problems) -> Iterator[Row]:
        """Read the rows of all caption files.

        Args:
            files: the folder's files.
            problems: collects what is wrong with rows or files.
        """
        images = by_stem(files.images())
        for name in (*self.tables, *self.texts):
            try:
                if self.texts:
                    yield from _text_rows(files.root, name, images[stem(name)], problems)
                else:
                    yield from READERS[suffix(name)](files.root, name, problems)
            except OSError as error:
                problems.add(Location(name), f"cannot be read ({error.strerror})")


def find_layout(files: FolderFiles) -> Layout:
    """Find out where the captions are.

    Raises:
        InputError: there are no captions, or several possible sources of them; the message lists
            what was found.
    """
    visible = files.visible()
    tables = [name for name in visible if _TABLE.fullmatch(posixpath.basename(name))]
    in_splits = [name for name in tables if _is_in_split_folder(name)]
    shards = [name for name in visible if suffix(name) == ".parquet" and name not in tables]
    images = by_stem(files.images())
    all_texts = [name for name in visible if suffix(name) == ".txt"]
    texts = [name for name in all_texts if stem(name) in images]
    candidates = [[name] for name in tables if "/" not in name]
    candidates += [group for group in (in_splits, shards, texts) if group]
    folders = [posixpath.dirname(name) for name in in_splits]
    if len(candidates) != 1 or len(set(folders)) < len(folders):
        found = (
            f"more than one source of captions: {'; '.join(map(_enumerated, candidates))}"
            if candidates
            else f"no captions; it contains {_contents(files)}"
        )
        raise InputError(f"{files.root} has {found}.{_SUPPORTED_LAYOUTS}")
    if texts:
        unmatched = tuple(name for name in all_texts if stem(name) not in images)
        return Layout(texts=tuple(texts), unmatched_texts=unmatched)
    return Layout(tables=tuple(candidates[0]))


def _is_in_split_folder(name: str) -> bool:
    """Whether a file is in a folder with the name of a split."""
    return posixpath.basename(posixpath.dirname(name)).lower() in SPLIT_NAMES


def _enumerated(names: list[str]) -> str:
    """The first five names, separated by commas."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown}, … ({len(names)} files)"


def _contents(files: FolderFiles) -> str:
    """What a folder without captions contains."""
    images = set(files.images())
    others = [name for name in files.visible() if name not in images]
    return f"{len(images)} images and {_enumerated(others) if others else 'nothing else'}"


def _text_rows(folder: Path, name: str, images: list[str], problems: Problems) -> Iterator[Row]:
    """Read a text file next to an image: every line that is not blank is a caption."""
    if len(images) > 1:
        problems.add(Location(name), f"is next to more than one image: {', '.join(images)}")
        return
    for number, line in enumerate((folder / name).read_bytes().split(b"\n"), start=1):
        location = Location(name, number)
        try:
            caption = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            problems.add(location, "is not UTF-8: save the file in that encoding")
            continue
        if caption:
            yield Row(location, posixpath.basename(images[0]), (caption,), None)
