"""Captions of scenes, drawn from a small grammar.

Words are drawn from skewed distributions, the main form first; two groups are named in their
canonical order (left or upper first) in the most frequent template.
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

CAPTIONS = 5
_MAIN = 0.75

_OPPOSITE = {"left": "right", "above": "below"}
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
        relation = _form(RELATION_WORDS[_OPPOSITE[scene.relation]], style.relation)
        text = f"{phrases[1]} {relation} {phrases[0]}"
    else:
        text = f"{phrases[0]} {_form(RELATION_WORDS[scene.relation], style.relation)} {phrases[1]}"
    # A lone group has fewer words to vary; without a background its captions would run out.
    if style.background or scene.relation is None:
        word = _form(BACKGROUND_WORDS[scene.background], style.relation)
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
    words = [_form(COUNT_WORDS[group.count], style.number[number])]
    if style.sized[number]:
        words.append(_form(SIZE_WORDS[group.size], style.size[number]))
    noun = _form(SHAPE_WORDS[group.shape], style.shape[number])
    words += [group.colour, noun if group.count == 1 else plural(noun)]
    phrase = " ".join(words)
    return phrase.replace("a orange", "an orange", 1) if phrase.startswith("a orange") else phrase
