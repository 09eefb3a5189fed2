"""Captions of revisions, scored on the same images in the same order."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from captioning.core.errors import InputError
from captioning.evaluation.metrics import METRICS, ImageStatistics, aggregate, image_statistics
from captioning.evaluation.predictions import Prediction
from captioning.evaluation.words import ScoredText
from captioning.experiments.revisions import FIGURES, PARAMS, Revision
from captioning.experiments.significance import Run
from captioning.params.schema import problem_text

# Image ids named in an error.
_NAMED = 3
# metrics/evaluate.json is rounded to six digits.
_RECORDED_TOLERANCE = 1e-5
# Arguments of `ScoredText`, and the params that they come from.
_TEXT_PARAMS = {"tokenizer": "evaluate.tokenizer", "normalization": "vocabulary.normalization"}


def own_text(revision: Revision) -> ScoredText:
    """The words that a revision's own evaluation compares, by its params.

    Raises:
        InputError: params.yaml can't be read or names words that can't be had.
    """
    # Revisions from before these params were scored as they stand by default.
    given = {
        name: revision.params[key] for name, key in _TEXT_PARAMS.items() if key in revision.params
    }
    try:
        return ScoredText(**given)
    except ValidationError as error:
        problems = [
            problem_text({**problem, "loc": (_TEXT_PARAMS[str(problem["loc"][0])],)})
            for problem in error.errors(include_url=False)
        ]
        raise InputError(f"{PARAMS} of {revision.name}: {'; '.join(problems)}") from None


def common_text(revisions: Sequence[Revision]) -> ScoredText:
    """The words that revisions are compared by: the tokenizer of the first, the baseline.

    Where one writes NFKC, the references of all are normalised alike: `nfkc` tells nothing apart
    that `nfc` doesn't.

    Raises:
        InputError: as `own_text`.
    """
    texts = [own_text(revision) for revision in revisions]
    compatible = any(text.normalization == "nfkc" for text in texts)
    return ScoredText(texts[0].tokenizer, "nfkc" if compatible else "nfc")


def score_run(revision: Revision, baseline: Revision, text: ScoredText) -> Run:
    """Score a revision's captions, in the order of the baseline's images, by the words of `text`.

    Raises:
        InputError: the captions can't be read or scored, or are not of the baseline's images and
            references.
    """
    return Run.of(_statistics(revision, baseline, text))


def _statistics(revision: Revision, baseline: Revision, text: ScoredText) -> ImageStatistics:
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
        return image_statistics(
            [captions[image].caption for image in wanted],
            [row.references for row in wanted.values()],
            text,
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


def stale_figures(revision: Revision, run: Run, text: ScoredText) -> str | None:
    """What to say where the recorded metrics are not those of the captions, else None.

    Args:
        revision: whose metrics/evaluate.json is looked at.
        run: its captions, scored by `text`.
        text: where these are not the revision's own words, its captions are scored again by those.

    Raises:
        InputError: metrics/evaluate.json can't be read.
    """
    own = own_text(revision)
    metrics = run.metrics if own == text else aggregate(_statistics(revision, revision, own))
    for metric in METRICS:
        recorded, scored = revision.figures.get(metric), metrics[metric]
        if recorded is not None and abs(recorded - scored) > _RECORDED_TOLERANCE:
            return (
                f"{FIGURES} of {revision.name} says {metric} {recorded:.4f}, its captions score "
                f"{scored:.4f}: run `dvc repro evaluate` there"
            )
    return None
