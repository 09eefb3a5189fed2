"""Captions of revisions, scored on the same images in the same order."""

from __future__ import annotations

from collections.abc import Sequence

from captioning.errors import InputError
from captioning.predictions import Prediction
from captioning.revisions import FIGURES, Revision
from captioning.scoring import METRICS, image_statistics
from captioning.significance import Run

# Image ids named in an error.
_NAMED = 3
# metrics/evaluate.json is rounded to six digits.
_RECORDED_TOLERANCE = 1e-5


def score_run(revision: Revision, baseline: Revision) -> Run:
    """Score a revision's captions, in the order of the baseline's images.

    Raises:
        InputError: the captions can't be read or scored, or are not of the baseline's images and
            references.
    """
    captions = {row.image_id: row for row in revision.predictions}
    wanted = {row.image_id: row for row in baseline.predictions}
    for one, other, lacking in (
        (revision, baseline, [image for image in wanted if image not in captions]),
        (baseline, revision, [image for image in captions if image not in wanted]),
    ):
        if lacking:
            raise InputError(
                f"{one.name} lacks {_listed(lacking)}, which {other.name} has: "
                "compare runs on the same test split"
            )
    changed = [i for i, row in wanted.items() if _references(row) != _references(captions[i])]
    if changed:
        raise InputError(
            f"{revision.name} has other references than {baseline.name} for {_listed(changed)}: "
            "compare runs on the same dataset"
        )
    try:
        return Run.of(
            image_statistics(
                [captions[image].caption for image in wanted],
                [row.references for row in wanted.values()],
            )
        )
    except InputError as error:
        raise InputError(f"{revision.name}: {error}") from None


def _references(row: Prediction) -> list[str]:
    return sorted(row.references)


def _listed(images: Sequence[str]) -> str:
    """`2 images (a, b)`."""
    dots = ", …" if len(images) > _NAMED else ""
    noun = "image" if len(images) == 1 else "images"
    return f"{len(images)} {noun} ({', '.join(images[:_NAMED])}{dots})"


def stale_figures(revision: Revision, run: Run) -> str | None:
    """What to say where the recorded metrics are not those of the captions, else None.

    Raises:
        InputError: metrics/evaluate.json can't be read.
    """
    for metric in METRICS:
        recorded, scored = revision.figures.get(metric), run.metrics[metric]
        if recorded is not None and abs(recorded - scored) > _RECORDED_TOLERANCE:
            return (
                f"{FIGURES} of {revision.name} says {metric} {recorded:.4f}, its captions score "
                f"{scored:.4f}: run `dvc repro evaluate` there"
            )
    return None
