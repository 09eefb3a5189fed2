"""The vocabulary of captions of drawn scenes: the words for each property, main form first."""

from __future__ import annotations

COLOURS = ("red", "blue", "green", "yellow", "orange", "purple", "pink", "black")
SHAPE_WORDS = {
    "circle": ("circle", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "heart": ("heart",),
    "cross": ("cross", "plus"),
    "ring": ("ring", "hoop"),
}
SIZE_WORDS = {"small": ("small", "little"), "large": ("large", "big")}
COUNT_WORDS = {1: ("a", "one"), 2: ("two", "a pair of"), 3: ("three",)}
RELATION_WORDS = {
    "left": ("to the left of", "on the left of"),
    "right": ("to the right of", "on the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
BACKGROUND_WORDS = {
    "plain": ("plain",),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted"),
    "checkered": ("checkered",),
    "gradient": ("shaded",),
}


def plural(noun: str) -> str:
    """Plural of the word for a shape."""
    return noun + ("es" if noun.endswith(("s", "x")) else "s")
