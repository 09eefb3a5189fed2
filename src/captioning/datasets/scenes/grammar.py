"""Captions of scenes, and what a caption claims of its picture.

Words are drawn from skewed distributions, the main form first; two groups are named in their
canonical order (left or upper first) in the most frequent template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captioning.datasets.scenes.layout import COLOURS, Group, Scene

CAPTIONS = 5
_MAIN = 0.75

# Main form first.
_SHAPE_WORDS = {
    "circle": ("circle", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "heart": ("heart",),
    "cross": ("cross", "plus"),
    "ring": ("ring", "hoop"),
}
_SIZE_WORDS = {"small": ("small", "little"), "large": ("large", "big")}
_COUNT_WORDS = {1: ("a", "one"), 2: ("two", "a pair of"), 3: ("three",)}
_RELATION_WORDS = {
    "left": ("to the left of", "on the left of"),
    "right": ("to the right of", "on the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_OPPOSITE = {"left": "right", "above": "below"}
_BACKGROUND_WORDS = {
    "plain": ("plain",),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted"),
    "checkered": ("checkered",),
    "gradient": ("shaded",),
}
_OPENINGS = ("", "there is", "a picture of", "we see")


class Style(NamedTuple):
    """Which choices a caption makes: each the index into the forms there are, 0 the main one."""

    opening: int
    swapped: bool
    joined: bool
    background: bool
    shape: tuple[int, int]
    size: tuple[int, int]
    sized: tuple[bool, bool]
    number: tuple[int, int]
    relation: int


MAIN_STYLE = Style(0, False, False, False, (0, 0), (0, 0), (True, True), (0, 0), 0)


def captions(scene: Scene, random: np.random.Generator) -> tuple[str, ...]:
    """Five different captions of a scene."""
    found: dict[str, None] = {}
    while len(found) < CAPTIONS:
        found.setdefault(describe(scene, _sample_style(random)))
    return tuple(found)


def most_probable_caption(scene: Scene) -> str:
    """The caption in which every choice takes its main form."""
    return describe(scene, MAIN_STYLE)


def _sample_style(random: np.random.Generator) -> Style:
    def other(share: float) -> bool:
        return bool(random.random() < share)

    rare = 1 - _MAIN
    opening = int(random.choice(len(_OPENINGS), p=[_MAIN, 0.1, 0.1, 0.05]))
    return Style(
        opening=opening,
        swapped=other(0.15),
        joined=other(0.12),
        background=other(0.2),
        shape=(int(other(rare)), int(other(rare))),
        size=(int(other(rare)), int(other(rare))),
        sized=(not other(0.15), not other(0.15)),
        number=(int(other(0.15)), int(other(0.15))),
        relation=int(other(rare)),
    )


def describe(scene: Scene, style: Style) -> str:
    """One caption of a scene in a given style."""
    phrases = [_phrase(group, style, number) for number, group in enumerate(scene.groups)]
    if scene.relation is None:
        text = phrases[0]
    elif style.joined:
        text = f"{phrases[0]} and {phrases[1]}"
    elif style.swapped:
        relation = _form(_RELATION_WORDS[_OPPOSITE[scene.relation]], style.relation)
        text = f"{phrases[1]} {relation} {phrases[0]}"
    else:
        text = f"{phrases[0]} {_form(_RELATION_WORDS[scene.relation], style.relation)} {phrases[1]}"
    # A lone group has fewer words to vary; without a background its captions would run out.
    if style.background or scene.relation is None:
        word = _form(_BACKGROUND_WORDS[scene.background], style.relation)
        text += f" on a {word} background"
    opening = _OPENINGS[style.opening]
    if opening == "there is" and scene.groups[int(_swaps(scene, style))].count > 1:
        opening = "there are"
    return f"{opening} {text}".strip()


def _swaps(scene: Scene, style: Style) -> bool:
    return scene.relation is not None and style.swapped and not style.joined


def _form(forms: tuple[str, ...], choice: int) -> str:
    return forms[min(choice, len(forms) - 1)]


def _phrase(group: Group, style: Style, number: int) -> str:
    """`a large red circle`, `two small blue stars`."""
    words = [_form(_COUNT_WORDS[group.count], style.number[number])]
    if style.sized[number]:
        words.append(_form(_SIZE_WORDS[group.size], style.size[number]))
    noun = _form(_SHAPE_WORDS[group.shape], style.shape[number])
    words += [group.colour, noun if group.count == 1 else _plural(noun)]
    phrase = " ".join(words)
    return phrase.replace("a orange", "an orange", 1) if phrase.startswith("a orange") else phrase


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


@dataclass(frozen=True)
class Mention:
    """What a caption says of one group; None where it says nothing.

    `place` is the position of the shape's word in the caption, from 0.
    """

    place: int
    shape: str
    colour: str | None = None
    size: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Claim:
    """What a caption claims: its mentions, and the relation of the first to the second."""

    mentions: tuple[Mention, ...]
    relation: str | None


def _lookup(table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {form: name for name, forms in table.items() for form in forms}


_SHAPE_OF = _lookup(_SHAPE_WORDS) | {
    _plural(form): name for form, name in _lookup(_SHAPE_WORDS).items()
}
_SIZE_OF = _lookup(_SIZE_WORDS)
_COUNT_OF = {"a": 1, "an": 1, "one": 1, "two": 2, "pair": 2, "three": 3}
_RELATION_OF = {
    "left": "left", "right": "right", "above": "above", "over": "above",
    "below": "below", "under": "below",
}  # fmt: skip


def parse_caption(caption: str) -> Claim:
    """Read a caption word by word; words that mean nothing here are passed over.

    Attributes belong to the next shape word; `a pair of` is two, `a picture of` no count.
    """
    mentions: list[Mention] = []
    relations: list[tuple[int, str]] = []
    colour: str | None = None
    size: str | None = None
    count: int | None = None
    for place, word in enumerate(caption.lower().split()):
        if word in COLOURS:
            colour = word
        elif word in _SIZE_OF:
            size = _SIZE_OF[word]
        elif word in _COUNT_OF:
            count = _COUNT_OF[word]
        elif word in _RELATION_OF:
            relations.append((len(mentions), _RELATION_OF[word]))
        elif word in _SHAPE_OF:
            mentions.append(Mention(place, _SHAPE_OF[word], colour, size, count))
            colour = size = count = None
    between = [name for before, name in relations if before == 1]
    relation = between[0] if between and len(mentions) > 1 else None
    return Claim(tuple(mentions), relation)
