"""What is in a scene and where: groups of alike objects on a background.

All randomness comes from a generator seeded by (seed, split, index): a picture doesn't change
when a split grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captioning.core.splits import SPLITS
from captioning.params.datasets import ScenesParams
from captioning.scenes.words import BACKGROUND_WORDS, COLOURS, SHAPE_WORDS, SIZE_WORDS

SHAPES = tuple(SHAPE_WORDS)
SIZES = tuple(SIZE_WORDS)
BACKGROUNDS = tuple(BACKGROUND_WORDS)
#: Combinations that occur in the test split alone; each colour and shape occurs in others.
HELD_OUT = frozenset(
    {
        ("red", "star"),
        ("blue", "heart"),
        ("green", "triangle"),
        ("yellow", "cross"),
        ("orange", "circle"),
        ("purple", "square"),
        ("pink", "ring"),
        ("black", "star"),
    }
)
#: Of so many test pictures one holds held-out combinations alone.
HELD_OUT_EVERY = 4
MOST_IN_GROUP = 3
#: Side of an object as a share of the picture's: least and most.
_SIDES = {"small": (0.19, 0.23), "large": (0.33, 0.38)}
# In a group of several large objects these would not fit into half a picture.
_CROWDED = {1: 1.0, 2: 0.85, 3: 0.72}

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class SceneObject:
    """One object: its group, looks, box (x0, y0, x1, y1 in pixels) and turn in degrees."""

    group: int
    colour: str
    shape: str
    size: str
    box: Box
    angle: float


@dataclass(frozen=True)
class Group:
    """Alike objects."""

    count: int
    colour: str
    shape: str
    size: str


@dataclass(frozen=True)
class Scene:
    """One picture's content.

    Args:
        groups: one or two; the first is the left or upper one.
        objects: of all groups.
        relation: of the first group to the second: `left`, `above` or None for one group.
        background: one of `BACKGROUNDS`.
        held_out: whether every combination of colour and shape is a held-out one.
    """

    groups: tuple[Group, ...]
    objects: tuple[SceneObject, ...]
    relation: str | None
    background: str
    held_out: bool


def sample_scene(params: ScenesParams, split: str, index: int) -> tuple[Scene, np.random.Generator]:
    """Draw one scene and return it with the generator for whatever else is drawn for it."""
    random = np.random.default_rng([params.seed, SPLITS.index(split), index])
    # One of every four, at another place each time, so that no shard gets them all.
    place = index // HELD_OUT_EVERY % HELD_OUT_EVERY
    held_out = split == "test" and index % HELD_OUT_EVERY == place
    groups = _sample_groups(params, random, held_out)
    relation = str(random.choice(["left", "above"])) if len(groups) == 2 else None
    background = str(random.choice(BACKGROUNDS))
    while (objects := _place(groups, relation, params.image_size, random)) is None:
        pass
    return Scene(groups, tuple(objects), relation, background, held_out), random


def _sample_groups(
    params: ScenesParams, random: np.random.Generator, held_out: bool
) -> tuple[Group, ...]:
    allowed = [
        (colour, shape)
        for colour in COLOURS
        for shape in SHAPES
        if ((colour, shape) in HELD_OUT) == held_out
    ]
    total = int(random.integers(params.min_objects, params.max_objects + 1))
    # Two groups where they can be, mostly: relations need two.
    two = total > MOST_IN_GROUP or (total > 1 and random.random() < 0.75)
    if two:
        least = max(1, total - MOST_IN_GROUP)
        first = int(random.integers(least, min(MOST_IN_GROUP, total - 1) + 1))
        counts = [first, total - first]
    else:
        counts = [total]
    chosen = random.choice(len(allowed), size=len(counts), replace=False)
    return tuple(
        Group(count, *allowed[int(pick)], size=str(random.choice(SIZES)))
        for count, pick in zip(counts, chosen, strict=True)
    )


def _place(
    groups: tuple[Group, ...], relation: str | None, side: int, random: np.random.Generator
) -> list[SceneObject] | None:
    """Find boxes that don't overlap, each group in its half; None where luck ran out."""
    objects: list[SceneObject] = []
    margin = 0.02 * side
    for number, group in enumerate(groups):
        low, high = _SIDES[group.size]
        extent = float(random.uniform(low, high)) * side
        if group.size == "large":
            extent *= _CROWDED[group.count]
        area = _area(relation, number, side, margin)
        if area[2] - area[0] < extent or area[3] - area[1] < extent:
            return None
        for _ in range(group.count):
            box = _free_box(area, extent, [o.box for o in objects], random)
            if box is None:
                return None
            angle = float(random.uniform(-12, 12))
            objects.append(SceneObject(number, group.colour, group.shape, group.size, box, angle))
    return objects


def _area(relation: str | None, number: int, side: int, margin: float) -> Box:
    """Where a group may lie: the whole picture, or its half of it."""
    low, high = margin, side - margin
    if relation is None:
        return (low, low, high, high)
    part = (low, side / 2 - margin) if number == 0 else (side / 2 + margin, high)
    return (part[0], low, part[1], high) if relation == "left" else (low, part[0], high, part[1])


def _free_box(
    area: Box, extent: float, taken: list[Box], random: np.random.Generator
) -> Box | None:
    gap = 4.0
    for _ in range(40):
        x = float(random.uniform(area[0], area[2] - extent))
        y = float(random.uniform(area[1], area[3] - extent))
        box = (x, y, x + extent, y + extent)
        if all(
            box[2] + gap < t[0] or t[2] + gap < box[0] or box[3] + gap < t[1] or t[3] + gap < box[1]
            for t in taken
        ):
            return box
    return None
