"""Measures whether captions of drawn scenes are true.

This is possible because the dataset `scenes` records the color, shape, size and box of every object
that it draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioning.scenes.claims import Claim, Mention, parse_caption

Objects = Sequence[Mapping[str, Any]]

_DIGITS = 6


@dataclass(frozen=True)
class Judgement:
    """Which claims of a caption are true of its image; None for kinds of claims it does not make.

    Attributes:
        pair_true: some color and shape that are named together are those of an object.
        pairs_all_true: at least one pair is named, and every pair is that of an object.
        colour_true: every color named is that of some object.
        shape_true: every shape named is that of some object.
        size_true: every size named is that of an object with the color and shape named with it.
        count_true: every number named is that of the objects with the color and shape named with
            it.
        relation_true: the objects named first lie on the stated side of those named second.
    """

    pair_true: bool
    pairs_all_true: bool
    colour_true: bool | None
    shape_true: bool | None
    size_true: bool | None
    count_true: bool | None
    relation_true: bool | None


def judge(caption: str, objects: Objects) -> Judgement:
    """Compare a caption with the objects of its image, as in the raw table's column `objects`."""
    claim = parse_caption(caption)
    mentions = claim.mentions

    def all_true(named: Callable[[Mention], bool], true: Callable[[Mention], bool]) -> bool | None:
        found = [true(mention) for mention in mentions if named(mention)]
        return all(found) if found else None

    pairs = [bool(matching(m, objects)) for m in mentions if m.colour is not None]
    return Judgement(
        pair_true=any(pairs),
        pairs_all_true=bool(pairs) and all(pairs),
        colour_true=all_true(
            lambda m: m.colour is not None, lambda m: any(o["colour"] == m.colour for o in objects)
        ),
        shape_true=all_true(lambda m: True, lambda m: any(o["shape"] == m.shape for o in objects)),
        size_true=all_true(
            lambda m: m.size is not None,
            lambda m: any(o["size"] == m.size for o in matching(m, objects)),
        ),
        count_true=all_true(
            lambda m: m.count is not None, lambda m: len(matching(m, objects)) == m.count
        ),
        relation_true=_relation_true(claim, objects),
    )


def matching(mention: Mention, objects: Objects) -> list[Mapping[str, Any]]:
    """Objects that have the shape and, if one is named, the color of a mention."""
    return [
        item
        for item in objects
        if item["shape"] == mention.shape and mention.colour in (None, item["colour"])
    ]


def _relation_true(claim: Claim, objects: Objects) -> bool | None:
    if claim.relation is None:
        return None
    first, second = (matching(mention, objects) for mention in claim.mentions[:2])
    if not first or not second:
        return False
    axis = 0 if claim.relation in ("left", "right") else 1
    centers = [
        np.mean([(item["box"][axis] + item["box"][axis + 2]) / 2 for item in group])
        for group in (first, second)
    ]
    before = bool(centers[0] < centers[1])
    return before if claim.relation in ("left", "above") else not before


class CaptionTruth:
    """Counts how often captions are true. Images are added one by one; no captions are kept."""

    def __init__(self) -> None:
        self._judgements: list[Judgement] = []
        self._held_out: list[bool] = []

    def add(self, caption: str, objects: Objects, held_out: bool) -> None:
        """Judge the caption of one image.

        Args:
            caption: caption by the model.
            objects: objects of the image.
            held_out: whether its combinations of color and shape occur in no other split.
        """
        self._judgements.append(judge(caption, objects))
        self._held_out.append(held_out)

    def metrics(self) -> dict[str, float | None]:
        """Shares over all captions added.

        Returns:
            `colour_shape_true`: share of the captions with a color and shape named together that
            are those of an object; `colour_shape_all_true`: share of the captions in which this
            holds for every pair, and that have one; both also for the images whose combinations
            of color and shape occur in training (`_seen`) and for the others (`_held_out`);
            `colour_true`, `shape_true`, `size_true`, `count_true`, `relation_true`: share of the
            captions whose claims of this kind are all true, among those that make such a claim
            (None if no caption does).
        """
        judged = list(zip(self._judgements, self._held_out, strict=True))
        metrics: dict[str, float | None] = {}
        for name, claim in (
            ("colour_shape_true", "pair_true"),
            ("colour_shape_all_true", "pairs_all_true"),
        ):
            metrics[name] = share(getattr(j, claim) for j, _ in judged)
            metrics[f"{name}_seen"] = share(getattr(j, claim) for j, held in judged if not held)
            metrics[f"{name}_held_out"] = share(getattr(j, claim) for j, held in judged if held)
        for name in ("colour", "shape", "size", "count", "relation"):
            metrics[f"{name}_true"] = share(getattr(j, f"{name}_true") for j, _ in judged)
        return metrics


def share(values: Iterable[bool | None]) -> float | None:
    """Share of true values among those that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), _DIGITS) if known else None
