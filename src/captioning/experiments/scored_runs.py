"""Scores the captions of revisions with one tokenizer, on the same images in the same order."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from captioning.core.errors import InputError
from captioning.evaluation.grounding import grounding
from captioning.evaluation.metrics import ImageStatistics, image_statistics
from captioning.evaluation.predictions import Prediction
from captioning.evaluation.scoring import text_figures
from captioning.evaluation.words import ScoringTokenizer
from captioning.experiments.revisions import FIGURES, PARAMS, Revision, flatten
from captioning.experiments.significance import Run
from captioning.params.schema import problem_text

# Number of image ids that an error lists.
_LISTED_IDS = 3
# metrics/evaluate.json is rounded to six digits.
_RECORDED_TOLERANCE = 1e-5
# Fields of `ScoringTokenizer`, and the params that they come from.
_TOKENIZER_PARAMS = {"name": "evaluate.tokenizer", "normalization": "vocabulary.normalization"}


def own_tokenizer(revision: Revision) -> ScoringTokenizer:
    """The tokenizer that a revision was evaluated with, by its params.

    Raises:
        InputError: params.yaml can't be read or names an unknown tokenizer or normal form.
    """
    # Revisions older than these params were evaluated with what is the default now.
    given = {
        field: revision.params[key]
        for field, key in _TOKENIZER_PARAMS.items()
        if key in revision.params
    }
    try:
        return ScoringTokenizer(**given)
    except ValidationError as error:
        problems = [
            problem_text({**problem, "loc": (_TOKENIZER_PARAMS[str(problem["loc"][0])],)})
            for problem in error.errors(include_url=False)
        ]
        raise InputError(f"{PARAMS} of {revision.name}: {'; '.join(problems)}") from None


def common_tokenizer(revisions: Sequence[Revision]) -> ScoringTokenizer:
    """The tokenizer that revisions are compared with: that of the first, the baseline.

    If one of them uses NFKC, the texts of all are normalized to it: NFKC equates everything that
    NFC equates.

    Raises:
        InputError: as `own_tokenizer`.
    """
    tokenizers = [own_tokenizer(revision) for revision in revisions]
    nfkc = any(tokenizer.normalization == "nfkc" for tokenizer in tokenizers)
    return ScoringTokenizer(tokenizers[0].name, "nfkc" if nfkc else "nfc")


def score_run(revision: Revision, baseline: Revision, tokenizer: ScoringTokenizer) -> Run:
    """Score a revision's captions with `tokenizer`, in the order of the baseline's images.

    Raises:
        InputError: the captions can't be read or scored, or their images and references are not
            those of the baseline.
    """
    return Run.of(_statistics(revision, baseline, tokenizer))


def _statistics(
    revision: Revision, baseline: Revision, tokenizer: ScoringTokenizer
) -> ImageStatistics:
    captions = {row.image_id: row for row in revision.predictions}
    wanted = {row.image_id: row for row in baseline.predictions}
    for one, other, missing in (
        (revision, baseline, [image for image in wanted if image not in captions]),
        (baseline, revision, [image for image in captions if image not in wanted]),
    ):
        if missing:
            raise InputError(
                f"{one.name} lacks {_listed(missing)}, which {other.name} has: "
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
            tokenizer,
        )
    except InputError as error:
        raise InputError(f"{revision.name}: {error}") from None


def _references(row: Prediction) -> list[str]:
    return sorted(row.references)


def _listed(images: Sequence[str]) -> str:
    """`2 images (a, b)`."""
    dots = ", …" if len(images) > _LISTED_IDS else ""
    noun = "image" if len(images) == 1 else "images"
    return f"{len(images)} {noun} ({', '.join(images[:_LISTED_IDS])}{dots})"


def recomputed_figures(revision: Revision) -> dict[str, float | None]:
    """The figures that follow from a revision's captions alone, by dotted key.

    They are computed with the tokenizer that the revision was evaluated with; those that are not
    defined are None. Of drawn scenes, the figures of grounding are included.

    Raises:
        InputError: the captions can't be read or scored.
    """
    rows = revision.predictions
    try:
        figures = text_figures(
            [row.caption for row in rows], [row.references for row in rows], own_tokenizer(revision)
        )
        figures["grounding"] = grounding(rows) or {}
    except InputError as error:
        raise InputError(f"{revision.name}: {error}") from None
    return {
        key: value
        for key, value in flatten(figures).items()
        if value is None or isinstance(value, (int, float))
    }


def stale_figures(revision: Revision) -> dict[str, str]:
    """For each figure of metrics/evaluate.json that does not belong to the captions, a message.

    Raises:
        InputError: metrics/evaluate.json or the captions can't be read.
    """
    messages = {}
    for key, scored in recomputed_figures(revision).items():
        recorded = revision.figures.get(key)
        # The comparison is false for NaN.
        if recorded is None or (
            scored is not None and abs(recorded - scored) <= _RECORDED_TOLERANCE
        ):
            continue
        true = "it is not defined for its captions"
        if scored is not None:
            true = f"its captions score {scored:.4f}"
        messages[key] = (
            f"{FIGURES} of {revision.name} says {key} {recorded:.4f}, but {true}: "
            "run `dvc repro evaluate` there"
        )
    return messages
