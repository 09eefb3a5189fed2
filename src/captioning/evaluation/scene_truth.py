"""Are captions of drawn scenes true?

What no photograph set lets one measure: `scenes` keeps every object's looks and box.
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
    """Which claims of a caption are true of its picture; None where it claims nothing.

    Attributes:
        pair_true: a colour and shape named together are those of an object.
        pairs_all_true: some are named together, and every pair is that of an object.
        colour_true, shape_true: every one named is some object's.
        size_true: every size named is that of an object with the colour and shape it goes with.
        count_true: every number named is that of the objects with the looks it goes with.
        relation_true: the objects first named lie on the side said of those named next.
    """

    pair_true: bool
    pairs_all_true: bool
    colour_true: bool | None
    shape_true: bool | None
    size_true: bool | None
    count_true: bool | None
    relation_true: bool | None


def judge(caption: str, objects: Objects) -> Judgement:
    """Compare a caption with the objects of its picture (rows of the raw table's `objects`)."""
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
    """Objects of the shape and, where one is named, the colour that a mention names."""
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
    centres = [
        np.mean([(item["box"][axis] + item["box"][axis + 2]) / 2 for item in group])
        for group in (first, second)
    ]
    before = bool(centres[0] < centres[1])
    return before if claim.relation in ("left", "above") else not before


class CaptionTruth:
    """How often captions are true; fed picture by picture, it keeps no caption."""

    def __init__(self) -> None:
        self._judgements: list[Judgement] = []
        self._held_out: list[bool] = []

    def add(self, caption: str, row: Mapping[str, Any]) -> None:
        """Judge the caption of one picture; `row` is of the raw table, with `objects` and
        `held_out`."""
        self._judgements.append(judge(caption, row["objects"]))
        self._held_out.append(bool(row["held_out"]))

    def metrics(self) -> dict[str, float | None]:
        """Shares over all captions added.

        Returns:
            `colour_shape_true`: share of the captions that name a colour and shape that are in the
            picture together; `colour_shape_all_true`: and none that isn't; both also over the
            pictures whose combinations occur in training (`_seen`) and over those whose don't
            (`_held_out`); `colour_true`, `shape_true`, `size_true`, `count_true`, `relation_true`:
            share of the captions, among those that name such a thing, in which all of it is true
            (None where none names it).
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
    """Share of true among those known, None where none is."""
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), _DIGITS) if known else None
