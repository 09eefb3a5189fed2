"""The report about a dataset, for a first look before training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from captioning.core.errors import InputError
from captioning.core.splits import SPLITS
from captioning.data.raw_table import read_raw
from captioning.experiments.revisions import Revision
from captioning.experiments.scored_runs import own_tokenizer
from captioning.report.charts import Bars, histogram
from captioning.report.data_facts import (
    SplitFacts,
    data_facts,
    shared_captions,
    spread_evenly,
    unknown_words,
)
from captioning.report.gallery import with_picture
from captioning.report.local_files import local_files, naming_files_in
from captioning.report.page import write_page
from captioning.report.pictures import thumbnail
from captioning.text import load_vocabulary

_DOWNLOAD_FILE = "metrics/download.json"
_SHOWN_WORDS, _SHOWN_UNKNOWN, _SHOWN_DUPLICATES, _SHOWN_NAMES = 30, 15, 20, 20


def write_data_report(path: Path, revision: Revision, *, images: int) -> tuple[int, list[str]]:
    """Write a report about the data of a revision.

    Args:
        path: where the HTML file is written.
        revision: the revision.
        images: largest number of pictures, spread over the splits.

    Returns:
        The size of the file in bytes, and notes about what is missing.

    Raises:
        InputError: the raw table is missing or damaged.
    """
    tokenizer = own_tokenizer(revision)
    with local_files(revision, ["data/raw/*.parquet"]) as folder, naming_files_in(folder):
        try:
            facts, duplicates = data_facts(folder / "data/raw", tokenizer)
        except InputError as error:
            raise InputError(f"{error}; `dvc repro download` writes data/raw") from None
        items = _items(folder / "data/raw", facts, images)
    vocabulary, notes = _vocabulary(revision, facts)
    rejected, download_notes = _rejected(revision)
    content = {
        "revision": revision,
        "dataset": revision.params.get("dataset", ""),
        "facts": facts,
        "total": sum(len(found.ids) for found in facts.values()),
        "shared": {split: shared_captions(facts, split) for split in SPLITS[1:]},
        "lengths": _lengths(facts),
        "frequent": _frequent(facts["train"]),
        "vocabulary": vocabulary,
        "rejected": rejected,
        "duplicates": duplicates,
        "shown_duplicates": duplicates[:_SHOWN_DUPLICATES],
        "notes": [*notes, *download_notes],
        "selection": _selection(len(items), facts),
        "gallery": {
            "revisions": [],
            "grids": [],
            "scores": {},
            "claims": {},
            "splits": SPLITS,
            "items": items,
        },
    }
    return write_page(path, "data.html", content), content["notes"]


def _items(raw: Path, facts: Mapping[str, SplitFacts], images: int) -> list[dict[str, Any]]:
    """The pictures that are shown, equally many of every split where it has them."""
    items: list[dict[str, Any]] = []
    for number, split in enumerate(SPLITS):
        places = (images - len(items)) // (len(SPLITS) - number)
        wanted = set(spread_evenly(facts[split].ids, places))
        if not wanted:
            continue
        for row in read_raw(raw, split, columns=["image_id", "image", "captions"]):
            if row["image_id"] in wanted:
                item = {
                    "number": len(items),
                    "id": row["image_id"],
                    "split": split,
                    "references": row["captions"],
                    "captions": [],
                }
                items.append(with_picture(item, thumbnail(row["image"], row["image_id"])))
    return items


def _selection(shown: int, facts: Mapping[str, SplitFacts]) -> str:
    """Which pictures are left out, in a sentence; empty if none."""
    total = sum(len(found.ids) for found in facts.values())
    if shown == total:
        return ""
    return (
        f"{shown:,} of {total:,} pictures are shown, spread evenly over each split; the other "
        f"{total - shown:,} are left out."
    )


def _lengths(facts: Mapping[str, SplitFacts]) -> Any:
    groups = [
        Bars(split, f"c{number}", found.lengths)
        for number, (split, found) in enumerate(facts.items())
    ]
    return histogram("Number of words in a caption", "words", groups)


def _frequent(train: SplitFacts) -> list[tuple[str, float]]:
    """The most frequent words, with their occurrences among 1,000 words."""
    words = sorted(train.words.items(), key=lambda item: (-item[1], item[0]))
    return [(word, 1000 * count / train.words.total()) for word, count in words[:_SHOWN_WORDS]]


def _vocabulary(
    revision: Revision, facts: Mapping[str, SplitFacts]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Size of the vocabulary, and the words of the other splits that it lacks."""
    try:
        with local_files(revision, ["data/vocabulary/*"]) as folder, naming_files_in(folder):
            vocabulary = load_vocabulary(folder / "data/vocabulary")
    except InputError as error:
        return None, [f"nothing about words outside of the vocabulary: {error}"]
    unknown = {
        split: unknown_words(found.captions, vocabulary, _SHOWN_UNKNOWN)
        for split, found in facts.items()
    }
    return {"size": len(vocabulary), "unknown": unknown}, []


def _rejected(revision: Revision) -> tuple[list[tuple[str, int, list[str]]], list[str]]:
    """What the stage `download` left out: reason, number, and the first names."""
    try:
        content = revision.read(_DOWNLOAD_FILE, "download")
    except InputError as error:
        return [], [f"nothing about rejected images: {error}"]
    try:
        figures = json.loads(content)
        names = figures["rejected_names"]
        rejected = sorted(figures["rejected"].items(), key=lambda item: (-item[1], item[0]))
        return [(why, count, names.get(why, [])[:_SHOWN_NAMES]) for why, count in rejected], []
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{revision.place(_DOWNLOAD_FILE)} does not say what was rejected: "
            "run `dvc repro download`"
        ) from None
