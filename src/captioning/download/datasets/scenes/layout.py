"""Sample scenes: groups of identical objects on a background, and the objects' positions.

The random generator of a scene is seeded with the seed, the split and the scene's index. So a scene
does not change when its split becomes larger.
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
#: Combinations of color and shape that occur in the test split only. In other combinations, each of
#: these colors and shapes occurs in all splits.
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
#: One of this many test images contains held-out combinations only.
HELD_OUT_EVERY = 4
MAX_GROUP_SIZE = 3
# Smallest and largest side of an object, as a share of the image's side.
_SIDES = {"small": (0.19, 0.23), "large": (0.33, 0.38)}
# Large objects in a group are scaled down, so that all of them fit into half an image.
_LARGE_OBJECT_SCALE = {1: 1.0, 2: 0.85, 3: 0.72}
# Attempts to find a place for an object before the scene's layout is started again.
_PLACEMENT_ATTEMPTS = 40
# Smallest distance between two boxes, in pixels.
_GAP = 4.0

#: Bounding box: x0, y0, x1, y1, in pixels.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class SceneObject:
    """One object.

    Attributes:
        group: index of its group.
        colour: color, one of `COLOURS`.
        shape: one of `SHAPES`.
        size: `small` or `large`.
        box: bounding box.
        angle: rotation in degrees.
    """

    group: int
    colour: str
    shape: str
    size: str
    box: Box
    angle: float


@dataclass(frozen=True)
class Group:
    """Objects of the same color, shape and size.

    Attributes:
        count: number of objects.
        colour: color, one of `COLOURS`.
        shape: one of `SHAPES`.
        size: `small` or `large`.
    """

    count: int
    colour: str
    shape: str
    size: str


@dataclass(frozen=True)
class Scene:
    """The content of one image.

    Attributes:
        groups: one or two groups; the first one is on the left or above.
        objects: the objects of all groups.
        relation: where the first group is relative to the second: `left` or `above`; None if there
            is only one group.
        background: one of `BACKGROUNDS`.
        held_out: whether the combinations of color and shape are held-out ones.
    """

    groups: tuple[Group, ...]
    objects: tuple[SceneObject, ...]
    relation: str | None
    background: str
    held_out: bool


def sample_scene(params: ScenesParams, split: str, index: int) -> tuple[Scene, np.random.Generator]:
    """Sample one scene.

    Args:
        params: settings of the dataset.
        split: split of the scene.
        index: index of the scene in the split, from 0.

    Returns:
        The scene, and its random generator, for the colors, the background and the captions.
    """
    random = np.random.default_rng([params.seed, SPLITS.index(split), index])
    # One of every four test images is held out: the first of four, the second of the next four, and
    # so on, so that the held-out images do not all go to the same shard.
    position = index // HELD_OUT_EVERY % HELD_OUT_EVERY
    held_out = split == "test" and index % HELD_OUT_EVERY == position
    groups = _sample_groups(params, random, held_out)
    relation = str(random.choice(["left", "above"])) if len(groups) == 2 else None
    background = str(random.choice(BACKGROUNDS))
    while (objects := _place_objects(groups, relation, params.image_size, random)) is None:
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
    # Most scenes with several objects have two groups, because a relation needs two.
    has_two_groups = total > MAX_GROUP_SIZE or (total > 1 and random.random() < 0.75)
    if has_two_groups:
        fewest = max(1, total - MAX_GROUP_SIZE)
        first = int(random.integers(fewest, min(MAX_GROUP_SIZE, total - 1) + 1))
        counts = [first, total - first]
    else:
        counts = [total]
    chosen = random.choice(len(allowed), size=len(counts), replace=False)
    return tuple(
        Group(count, *allowed[int(pick)], size=str(random.choice(SIZES)))
        for count, pick in zip(counts, chosen, strict=True)
    )


def _place_objects(
    groups: tuple[Group, ...], relation: str | None, side: int, random: np.random.Generator
) -> list[SceneObject] | None:
    """Find boxes that do not overlap, with each group in its half of the image.

    Returns:
        The objects, or None if the random positions left no room for one of them.
    """
    objects: list[SceneObject] = []
    margin = 0.02 * side
    for number, group in enumerate(groups):
        low, high = _SIDES[group.size]
        extent = float(random.uniform(low, high)) * side
        if group.size == "large":
            extent *= _LARGE_OBJECT_SCALE[group.count]
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
    """The area for a group: the whole image, or one half of it."""
    low, high = margin, side - margin
    if relation is None:
        return (low, low, high, high)
    half = (low, side / 2 - margin) if number == 0 else (side / 2 + margin, high)
    return (half[0], low, half[1], high) if relation == "left" else (low, half[0], high, half[1])


def _free_box(
    area: Box, extent: float, taken: list[Box], random: np.random.Generator
) -> Box | None:
    """A random box in `area` that is apart from the boxes `taken`; None if none was found.

    Args:
        area: where the box must be.
        extent: side of the box, in pixels.
        taken: boxes of the other objects.
        random: random generator.
    """
    for _ in range(_PLACEMENT_ATTEMPTS):
        x = float(random.uniform(area[0], area[2] - extent))
        y = float(random.uniform(area[1], area[3] - extent))
        box = (x, y, x + extent, y + extent)
        if all(
            box[2] + _GAP < other[0]
            or other[2] + _GAP < box[0]
            or box[3] + _GAP < other[1]
            or other[3] + _GAP < box[1]
            for other in taken
        ):
            return box
    return None
