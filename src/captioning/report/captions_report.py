"""The report about the captions of one or more revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from captioning.core.errors import InputError
from captioning.experiments.as_json import method
from captioning.experiments.as_text import difference_tables, params_tables
from captioning.experiments.comparison import Comparison
from captioning.experiments.revisions import Revision
from captioning.report.attention import Attention, attention_of_captions
from captioning.report.charts import Bars, histogram
from captioning.report.curves import learning_curves
from captioning.report.figures import METRIC_NAMES, metric_rows, other_rows
from captioning.report.gallery import CHANGE, CLAIMS, SCORES, captioned_items, choose
from captioning.report.local_files import local_files, naming_files_in
from captioning.report.page import write_page
from captioning.report.pictures import Thumbnail, thumbnails
from captioning.report.scored_captions import ScoredCaptions, largest_changes, score_revisions

_SPLIT = "test"
_PICTURES = (f"data/raw/{_SPLIT}-*.parquet",)
_MODEL = ("data/model/*", "data/features/index.json", f"data/features/{_SPLIT}-*.tfrecord")
_SHOWN_WORDS = 12
_SHOWN_CHANGES = 12


def write_captions_report(
    path: Path,
    revisions: Sequence[Revision],
    *,
    images: int,
    pictures: bool = True,
    attention: bool = True,
) -> tuple[int, list[str]]:
    """Write a report about the captions of the test split.

    Args:
        path: where the HTML file is written.
        revisions: the revisions; the others are compared with the first.
        images: largest number of images in the gallery; figures are always over all images.
        pictures: whether the report contains the pictures.
        attention: whether the report shows where the model looked, if model and features are there.

    Returns:
        The size of the file in bytes, and notes about what is missing or doubtful.

    Raises:
        InputError: a file is missing or damaged, or the revisions have other images or references.
    """
    captions, comparison, notes = score_revisions(revisions, _SHOWN_WORDS)
    metrics, metric_notes = metric_rows(captions)
    charts, kept, curve_notes = learning_curves(revisions)
    changes = largest_changes(captions)
    chosen = choose(captions[0].run.statistics.cider_d.tolist(), changes, images)
    wanted = [captions[0].predictions[place].image_id for place in chosen]
    # Before the attention, which takes longest: the pictures may be missing.
    small = _pictures(revisions, wanted) if pictures else {}
    maps, attention_notes = _attention(captions, wanted) if attention else ([], [])
    notes += [*metric_notes, *curve_notes, *attention_notes]
    content = {
        "revisions": revisions,
        "selection": _selection(len(chosen), len(changes), comparison is not None),
        "dataset": revisions[0].params.get("dataset", ""),
        "images": len(changes),
        "shown": len(chosen),
        "metrics": metrics,
        "figures": other_rows(captions, scenes=False),
        "grounding": other_rows(captions, scenes=True),
        "curves": charts,
        "kept": kept,
        "lengths": _lengths(captions),
        "captions": captions,
        "comparison": _comparison(comparison, captions, chosen),
        "notes": notes,
        "gallery": {
            "revisions": [revision.name for revision in revisions],
            "splits": [],
            "grids": [found.grid if found else None for found in maps],
            "scores": SCORES | (CHANGE if comparison else {}),
            "claims": CLAIMS if captions[0].predictions[0].scene else {},
            "items": captioned_items(
                [scored.predictions for scored in captions],
                [scored.run for scored in captions],
                maps or [None] * len(captions),
                small,
                chosen,
            ),
        },
    }
    return write_page(path, "captions.html", content), notes


def _selection(shown: int, images: int, compared: bool) -> str:
    """Which images the gallery leaves out, in a sentence; empty if none."""
    if shown == images:
        return ""
    changed = "; half of them are those whose captions changed most" if compared else ""
    return (
        f"{shown:,} of {images:,} images are shown, spread evenly from the worst to the best "
        f"CIDEr-D{changed}. The other {images - shown:,} are left out; figures and words are those "
        "of all images."
    )


def _pictures(revisions: Sequence[Revision], wanted: Sequence[str]) -> dict[str, Thumbnail]:
    """The pictures, from the workspace or else from the first commit that has them.

    All revisions have the same images: their captions could not be compared otherwise.
    """
    problems = []
    for revision in sorted(revisions, key=lambda revision: revision.commit is not None):
        try:
            with local_files(revision, _PICTURES) as folder, naming_files_in(folder):
                return thumbnails(folder / "data/raw", _SPLIT, wanted)
        except InputError as error:
            problems.append(str(error))
    raise InputError(
        f"there are no pictures: {problems[0]}; data/raw is written by `dvc repro download`, and "
        "--no-pictures makes a report without them"
    )


def _attention(
    captions: Sequence[ScoredCaptions], wanted: Sequence[str]
) -> tuple[list[Attention | None], list[str]]:
    """The maps of every revision; None, with a note, where its model or features are missing."""
    maps: list[Attention | None] = []
    notes = []
    for scored in captions:
        texts = {row.image_id: row.caption for row in scored.predictions}
        try:
            with local_files(scored.revision, _MODEL) as folder, naming_files_in(folder):
                found = attention_of_captions(folder, _SPLIT, {i: texts[i] for i in wanted})
            maps.append(found)
        except InputError as error:
            notes.append(f"no attention maps of {scored.revision.name}: {error}")
            maps.append(None)
    return maps, notes


def _lengths(captions: Sequence[ScoredCaptions]) -> Any:
    """Lengths of references and of every revision's captions; all have the same references."""
    return histogram(
        "Number of words in captions and references",
        "words",
        [
            Bars("references", "reference", captions[0].words.reference_lengths),
            *(
                Bars(scored.revision.name, f"c{number}", scored.words.lengths)
                for number, scored in enumerate(captions)
            ),
        ],
    )


def _comparison(
    comparison: Comparison | None, captions: Sequence[ScoredCaptions], chosen: Sequence[int]
) -> Mapping[str, Any] | None:
    """What `captioning compare` says, and the images whose captions changed most."""
    if comparison is None:
        return None
    place_of = {captions[0].predictions[place].image_id: place for place in chosen}
    changed = []
    for number, delta in enumerate(comparison.deltas, start=1):
        places = [place_of[i.image_id] for i in delta.changed if i.image_id in place_of]
        changed.append(
            {
                "total": delta.changed_total,
                "revision": number,
                "name": comparison.experiments[number].name,
                "places": places[:_SHOWN_CHANGES],
            }
        )
    return {
        "baseline": comparison.experiments[0].name,
        "params": params_tables(comparison),
        "differences": [
            table._replace(rows=[(METRIC_NAMES[metric], *cells) for metric, *cells in table.rows])
            for table in difference_tables(comparison)
        ],
        "method": method(comparison),
        "changed": changed,
    }
