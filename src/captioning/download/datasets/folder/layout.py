"""Which of the possible layouts a folder has, and the rows that its captions come to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from captioning.core.errors import InputError
from captioning.download.datasets.folder.files import Files, by_stem, stem, suffix
from captioning.download.datasets.folder.parquet import read_parquet
from captioning.download.datasets.folder.problems import Place, Problems
from captioning.download.datasets.folder.rows import Row
from captioning.download.datasets.folder.split_names import SPLIT_NAMES
from captioning.download.datasets.folder.text_tables import read_delimited, read_json_lines

Reader = Callable[[Path, str, Problems], Iterator[Row]]
READERS: dict[str, Reader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json_lines,
    ".parquet": read_parquet,
}
_TABLE = re.compile(rf"(captions|metadata)({'|'.join(map(re.escape, READERS))})", re.IGNORECASE)
_POSSIBLE = """
Captions are in exactly one of these:
  captions.csv, .tsv, .jsonl or .parquet in the folder (or metadata., as Hugging Face names it),
  one such file in each of the folders train, validation, test,
  Parquet files that hold the images too, train-00000-of-00001.parquet and so on,
  a .txt beside each image."""


@dataclass(frozen=True)
class Layout:
    """Where the captions are.

    Attributes:
        tables: names of caption files, or of Parquet files with images; sorted.
        texts: names of `.txt` files beside images; empty where there are tables.
        strays: names of `.txt` files beside none, where `texts` has some.
    """

    tables: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()

    def rows(self, files: Files, problems: Problems) -> Iterator[Row]:
        """Read all rows; what is wrong with some goes to `problems`."""
        images = by_stem(files.images())
        for name in (*self.tables, *self.texts):
            try:
                if self.texts:
                    yield from _text_rows(files.root, name, images[stem(name)], problems)
                else:
                    yield from READERS[suffix(name)](files.root, name, problems)
            except OSError as error:
                problems.add(Place(name), f"can't be read ({error.strerror})")


def find_layout(files: Files) -> Layout:
    """Find out where the captions are.

    Raises:
        InputError: there are none, or more than one possible source: it lists what was found.
    """
    visible = files.visible()
    tables = [name for name in visible if _TABLE.fullmatch(posixpath.basename(name))]
    in_splits = [name for name in tables if _split_folder(name)]
    shards = [name for name in visible if suffix(name) == ".parquet" and name not in tables]
    images = by_stem(files.images())
    all_texts = [name for name in visible if suffix(name) == ".txt"]
    texts = [name for name in all_texts if stem(name) in images]
    candidates = [[name] for name in tables if "/" not in name]
    candidates += [group for group in (in_splits, shards, texts) if group]
    folders = [posixpath.dirname(name) for name in in_splits]
    if len(candidates) != 1 or len(set(folders)) < len(folders):
        what = "more than one source of captions" if candidates else "no captions"
        listed = "; ".join(map(_listed, candidates)) or _contents(files)
        raise InputError(f"{files.root} has {what}: {listed}.{_POSSIBLE}")
    if texts:
        strays = tuple(name for name in all_texts if stem(name) not in images)
        return Layout(texts=tuple(texts), strays=strays)
    return Layout(tables=tuple(candidates[0]))


def _split_folder(name: str) -> bool:
    """Whether a file lies in a folder named as a split."""
    return posixpath.basename(posixpath.dirname(name)).lower() in SPLIT_NAMES


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown}, … ({len(names)} files)"


def _contents(files: Files) -> str:
    """What a folder without captions holds."""
    images = set(files.images())
    others = [name for name in files.visible() if name not in images]
    return f"{len(images)} images, {_listed(others) if others else 'nothing else'}"


def _text_rows(folder: Path, name: str, images: list[str], problems: Problems) -> Iterator[Row]:
    """The lines of a text file as captions of the image beside it; blank ones are none."""
    if len(images) > 1:
        problems.add(Place(name), f"stands beside more than one image: {', '.join(images)}")
        return
    for number, line in enumerate((folder / name).read_bytes().split(b"\n"), start=1):
        try:
            caption = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            problems.add(Place(name, number), "is not UTF-8: save the file in that encoding")
            continue
        if caption:
            yield Row(Place(name, number), posixpath.basename(images[0]), (caption,), None)
