"""Captions of scenes, generated from a small grammar.

Each choice (of synonym, word order, level of detail) has a main form, which is the most probable
one. With the main form of every choice, two groups of objects are named in their canonical order:
the left or upper group first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from captioning.download.datasets.scenes.layout import Group, Scene
from captioning.scenes.words import (
    BACKGROUND_WORDS,
    COUNT_WORDS,
    RELATION_WORDS,
    SHAPE_WORDS,
    SIZE_WORDS,
    plural,
)

CAPTIONS_PER_SCENE = 5
_MAIN_FORM_PROBABILITY = 0.75

_OPPOSITE = {"left": "right", "above": "below"}
_OPENINGS = ("", "there is", "a picture of", "we see")


class Style(NamedTuple):
    """The choices of one caption; an index of 0 is the main form.

    Attributes:
        opening: index of the opening words.
        swapped: whether the second group is named first.
        joined: whether two groups are joined by "and", without their relation.
        background: whether the background is named.
        shape: for each group, index of the word for the shape.
        size: for each group, index of the word for the size.
        sized: for each group, whether the size is named.
        number: for each group, index of the word for the count.
        relation: index of the word for the relation, and of the word for the background.
    """

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
    """Generate `CAPTIONS_PER_SCENE` different captions of a scene."""
    # A dictionary serves as a set that keeps the order.
    found: dict[str, None] = {}
    while len(found) < CAPTIONS_PER_SCENE:
        found.setdefault(describe(scene, _sample_style(random)))
    return tuple(found)


def most_probable_caption(scene: Scene) -> str:
    """The caption with the main form of every choice."""
    return describe(scene, MAIN_STYLE)


def _sample_style(random: np.random.Generator) -> Style:
    def happens(probability: float) -> bool:
        return bool(random.random() < probability)

    other_form = 1 - _MAIN_FORM_PROBABILITY
    opening = int(random.choice(len(_OPENINGS), p=[_MAIN_FORM_PROBABILITY, 0.1, 0.1, 0.05]))
    return Style(
        opening=opening,
        swapped=happens(0.15),
        joined=happens(0.12),
        background=happens(0.2),
        shape=(int(happens(other_form)), int(happens(other_form))),
        size=(int(happens(other_form)), int(happens(other_form))),
        sized=(not happens(0.15), not happens(0.15)),
        number=(int(happens(0.15)), int(happens(0.15))),
        relation=int(happens(other_form)),
    )


def describe(scene: Scene, style: Style) -> str:
    """The caption of a scene in a given style."""
    phrases = [_group_phrase(group, style, number) for number, group in enumerate(scene.groups)]
    if scene.relation is None:
        text = phrases[0]
    elif style.joined:
        text = f"{phrases[0]} and {phrases[1]}"
    elif style.swapped:
        relation = _form(RELATION_WORDS[_OPPOSITE[scene.relation]], style.relation)
        text = f"{phrases[1]} {relation} {phrases[0]}"
    else:
        text = f"{phrases[0]} {_form(RELATION_WORDS[scene.relation], style.relation)} {phrases[1]}"
    # A single group has few words that vary. Without the background, there would not be enough
    # different captions.
    if style.background or scene.relation is None:
        word = _form(BACKGROUND_WORDS[scene.background], style.relation)
        text += f" on a {word} background"
    opening = _OPENINGS[style.opening]
    if opening == "there is" and scene.groups[int(_names_second_first(scene, style))].count > 1:
        opening = "there are"
    return f"{opening} {text}".strip()


def _names_second_first(scene: Scene, style: Style) -> bool:
    return scene.relation is not None and style.swapped and not style.joined


def _form(forms: tuple[str, ...], choice: int) -> str:
    return forms[min(choice, len(forms) - 1)]


def _group_phrase(group: Group, style: Style, number: int) -> str:
    """The phrase for a group, such as `a large red circle` or `two small blue stars`."""
    words = [_form(COUNT_WORDS[group.count], style.number[number])]
    if style.sized[number]:
        words.append(_form(SIZE_WORDS[group.size], style.size[number]))
    noun = _form(SHAPE_WORDS[group.shape], style.shape[number])
    words += [group.colour, noun if group.count == 1 else plural(noun)]
    phrase = " ".join(words)
    return phrase.replace("a orange", "an orange", 1) if phrase.startswith("a orange") else phrase
